/** The engine is not a dependency of the installed package: only `millrace dev` needs it, and it is large. */
import { mr } from '../../model/errors.ts';

/** Throws MR_BINARY_MISSING with what to install. */
export function requireEngine(): void {
  try {
    import.meta.resolve('chdb');
  } catch (cause) {
    throw mr(
      'MR_BINARY_MISSING',
      {
        binary: 'ClickHouse',
        version: '(embedded)',
        problem: 'the npm package chdb is not installed',
        hint: 'Run `npm install chdb@3` where millrace is installed.',
      },
      { cause },
    );
  }
}
