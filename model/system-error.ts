/** Errors of the operating system, recognised by their code. */

/** `isSystemError(error, 'ENOENT', 'ENOTDIR')`: the file does not exist. */
export function isSystemError(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.some((code) => error.code === code);
}
