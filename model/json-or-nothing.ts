/** Parses JSON from outside; undefined if it is not JSON. The caller must say why that is not an error. */
export function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
