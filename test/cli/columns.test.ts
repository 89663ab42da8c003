import assert from 'node:assert/strict';
import { columns, fields } from '../../cli/columns.ts';

describe('columns', () => {
  it('aligns cells by the widest, without borders and without trailing spaces', () => {
    assert.equal(
      columns(
        ['NAME', 'READY'],
        [
          ['orders', 'True'],
          ['a', ''],
        ],
      ),
      'NAME     READY\norders   True\na\n',
    );
  });

  it('aligns the values of fields', () => {
    assert.equal(
      fields([
        ['Name', 'orders'],
        ['Workloads in', 'x'],
      ]),
      'Name:           orders\nWorkloads in:   x\n',
    );
  });
});
