/** The two ways out: data on stdout, words for people on stderr. */

export function print(text: string): void {
  process.stdout.write(text);
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
