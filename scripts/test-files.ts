/** Which files are tests. `*.unit.test.ts` need no server; the others start the real parts that they need. */
export const allTests = 'test/**/*.test.ts';
export const unitTests = 'test/**/*.unit.test.ts';
/** On one whole stack that they share. */
export const endToEndTests = 'test/e2e/**/*.test.ts';
/** A stack of its own, which it breaks. */
export const faultTests = 'test/faults/*.test.ts';
