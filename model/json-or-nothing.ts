/** JSON from outside that may not be JSON: undefined then. Why that is no error is for the caller to say. */
export function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
