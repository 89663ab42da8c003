/**
 * Output: data on stdout, messages for people on stderr. All that a command writes passes here.
 *
 * O1  Text of a server, a pod or a file cannot move, hide or reorder what a terminal shows: what is not seen is escaped, on
 *     stderr always, on stdout when it is a terminal. Another program gets the data as they are.
 */
import { isSystemError } from '../model/system-error.ts';
import { visibleLines } from '../model/text.ts';

export interface Output {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

export function print(text: string, stdout: Output = process.stdout): void {
  stdout.write(stdout.isTTY === true ? visibleLines(text) : text);
}

export function say(line: string): void {
  process.stderr.write(`${visibleLines(line)}\n`);
}

/** The exit code that shells give a program that SIGPIPE has ended. */
const brokenPipe = 141;

/**
 * A reader that has closed the pipe (`| head`) ends the command silently; any other write error ends it with a message.
 */
export function endWithOutput(): void {
  process.stdout.on('error', (error: Error) => {
    if (isSystemError(error, 'EPIPE')) process.exit(brokenPipe);
    say(`The output cannot be written: ${error.message}`);
    process.exit(1);
  });
  process.stderr.on('error', (error: Error) => process.exit(isSystemError(error, 'EPIPE') ? brokenPipe : 1));
}
