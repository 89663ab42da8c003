/**
 * Patterns for `matches`.
 *
 * V8 backtracks, and some patterns then take time that doubles with each character. The flag makes it go over to its
 * linear engine after many steps back (`(a+)+$` on 27 characters: 1 ms instead of 7 s). It holds for the whole process,
 * so also for the patterns that cel-js compiles itself. `./guards.ts` refuses the patterns that the linear engine cannot
 * take, and those that are slow even so.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');

export function compilePattern(pattern: string): RegExp {
  return new RegExp(pattern);
}
