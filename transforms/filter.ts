/** `filter`: records for which `where` is true continue, the others end here and are counted as dropped. */
import { z } from 'zod';
import { expressionField } from '../schema/fields.ts';
import { compileCondition } from './expression/expression.ts';
import { defineTransform } from './transform.ts';

const filterSpec = z
  .strictObject({ where: expressionField('Records for which this is true go on.') })
  .describe('Lets through the records for which an expression is true.');

export const filter = defineTransform({
  spec: filterSpec,
  expressions: ({ where }) => [{ path: ['where'], source: where, isCondition: true }],
  fieldsAfter: (_, fields) => fields,
  fieldChanges: () => ({ removes: [], sets: [] }),
  touches: () => [],
  compile({ where }, step) {
    const isWanted = compileCondition(where, `step "${step}", where`, step);
    return (value, meta, nowMs) => (isWanted(value, meta, nowMs) ? 'keep' : 'drop');
  },
});
