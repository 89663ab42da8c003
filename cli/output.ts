/** Output: data on stdout, messages for people on stderr. */
import { isSystemError } from '../model/system-error.ts';

export function print(text: string): void {
  process.stdout.write(text);
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
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
