/** The two ways out: data on stdout, words for people on stderr. */
import { isSystemError } from '../model/system-error.ts';

export function print(text: string): void {
  process.stdout.write(text);
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** What a shell gives a program that SIGPIPE has ended. */
const brokenPipe = 141;

/** Who reads no more (`| head`) ends the command without a word; an output that takes nothing ends it with a sentence. */
export function endWithOutput(): void {
  process.stdout.on('error', (error: Error) => {
    if (isSystemError(error, 'EPIPE')) process.exit(brokenPipe);
    say(`The output cannot be written: ${error.message}`);
    process.exit(1);
  });
  process.stderr.on('error', (error: Error) => process.exit(isSystemError(error, 'EPIPE') ? brokenPipe : 1));
}
