import { deepEqual, equal } from 'node:assert/strict';
import { columnNames, outputFormat, parseInsert, verbOf } from '../../../local/clickhouse/statement.ts';

describe('statements at the ClickHouse endpoint', () => {
  it('finds table, columns, settings, format and data of an insert', () => {
    const text = "INSERT INTO shop.`my ``t` (id, `na)me`)\n SETTINGS a = 1, b = 'FORMAT x' FORMAT RowBinary\n\x01\n";
    const head = parseInsert(text);
    deepEqual(head, {
      table: 'shop.`my ``t`',
      columns: 'id, `na)me`',
      settings: "a = 1, b = 'FORMAT x'",
      format: 'RowBinary',
      dataStart: text.indexOf('\x01'),
    });
  });

  it('looks past comments', () => {
    equal(parseInsert('/* FORMAT a */ insert -- FORMAT b\n into t format CSV\n1')?.format, 'CSV');
  });

  it('skips one line end before the data and no more', () => {
    const text = 'INSERT INTO t FORMAT TSV \r\n\n1';
    equal(text.slice(parseInsert(text)!.dataStart), '\n1');
  });

  for (const text of [
    "INSERT INTO t VALUES (1, 'FORMAT CSV')",
    'INSERT INTO t (a) SELECT 1 FORMAT CSV',
    'INSERT INTO t FORMAT Values (1)',
    'INSERT INTO FUNCTION file(x) FORMAT CSV',
    'SELECT 1 FORMAT CSV',
    '',
  ]) {
    it(`leaves to the engine: ${text}`, () => {
      equal(parseInsert(text), null);
    });
  }

  it('finds the format of an answer, and none in a text, a comment or parentheses', () => {
    equal(outputFormat('SELECT 1 FORMAT JSON SETTINGS max_threads = 1'), 'JSON');
    equal(outputFormat('select 1 format CSV;'), 'CSV');
    equal(outputFormat("SELECT 'FORMAT CSV' -- FORMAT JSON"), null);
    equal(outputFormat('SELECT (SELECT 1 FORMAT CSV)'), null);
  });

  it('tells the verb of a statement', () => {
    equal(verbOf(' /* x */ create table t'), 'CREATE');
    equal(verbOf('-- nothing'), '');
  });

  it('reads a column list of names, and gives up on more', () => {
    deepEqual(columnNames('a, `b c`, "d"'), ['a', 'b c', 'd']);
    equal(columnNames('* EXCEPT (a)'), null);
  });
});
