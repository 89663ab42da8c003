/** A function, so that the compiler does not conclude from an earlier check that a signal cannot have ended since. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
