/**
 * Exit codes, stable for scripts, and the one place that turns an error into a code and a text on stderr.
 */
import { CommanderError } from 'commander';
import { MillraceError, problemOf } from '../model/errors.ts';

export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  invalidConfig: 4,
  notFound: 6,
  conflict: 7,
  timeout: 8,
  unauthorised: 9,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command with an exit code and a complete text. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export interface Failure {
  readonly exitCode: number;
  /** Text for stderr; null when it was printed already. */
  readonly text: string | null;
}

export function failureOf(error: unknown): Failure {
  // Commander has already printed help or the usage error, and its exit codes are those that shells expect.
  if (error instanceof CommanderError) {
    return { exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage, text: null };
  }
  if (error instanceof CommandFailed) return { exitCode: error.exitCode, text: error.message };
  if (error instanceof MillraceError) {
    return { exitCode: codeOfStatus(error.http), text: `${error.message}\n${error.fix}`.trim() };
  }
  return { exitCode: exitCodes.failure, text: problemOf(error) };
}

/** Exit code for the HTTP status of a problem or of the Kubernetes API. */
export function codeOfStatus(status: number): ExitCode {
  switch (status) {
    case 400:
    case 422:
      return exitCodes.invalidConfig;
    case 401:
    case 403:
      return exitCodes.unauthorised;
    case 404:
    case 410:
      return exitCodes.notFound;
    case 409:
    case 412:
      return exitCodes.conflict;
    case 504:
      return exitCodes.timeout;
    default:
      return exitCodes.failure;
  }
}
