/** `createTable` of a sink: the part that is the same for every system with tables. */
import { z } from 'zod';

const description = 'Creates the table if it does not exist. Never alters one that does.';

/** `name` and `type` are the system's own. */
export function columnField<Name extends z.ZodType<string>, Type extends z.ZodType<string>>(
  nameField: (description: string) => Name,
  type: Type,
) {
  const name = nameField('Name of the column; the field of the record with the same name goes there.');
  return z.strictObject({ name, type }).describe('One column of the table to create.');
}

/** `more`: what else the system must know to create a table. */
export function createTableField<Column extends z.ZodType, More extends z.ZodRawShape>(column: Column, more: More) {
  const columns = z.array(column).min(1).max(1000).describe('Columns, in order.');
  return z.strictObject({ columns, ...more }).describe(description);
}
