import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { SinkSlot } from '../../../connectors/connector.ts';
import { mr } from '../../../model/errors.ts';
import { decodeRefused, encodeRefused } from '../../../stream/refused-set.ts';
import type { RefusedRecord, RefusedRow, WriteEnd } from '../../../stream/sink-port.ts';
import { Secrets } from '../../../workers/pod/secrets.ts';
import { listening } from '../../../workers/sink/listening.ts';

const password = 'hunter2-and-more';
const url = `https://app:${password}@ch.internal:8443`;
const range = { from: 1, to: 2, after: 0, token: 't' };

/** A server that answers so. */
function answering(end: WriteEnd, positionIn: 'commitLog' | 'sink'): SinkSlot {
  const shared = {
    newRows: () => ({ rows: 0, bytes: 0, add: () => undefined, clear: () => undefined }),
    write: () => Promise.resolve(end),
    close: () => Promise.resolve(),
  };
  return positionIn === 'sink'
    ? {
        ...shared,
        positionIn,
        onPositionLost: 'Stop',
        storedPosition: () => Promise.resolve({ position: 0, token: '' }),
      }
    : {
        ...shared,
        positionIn,
        mark: () => Promise.resolve(null),
        mayRepeat: () => Promise.resolve({ kind: 'repeat' }),
      };
}

async function refusedBy(end: WriteEnd, positionIn: 'commitLog' | 'sink'): Promise<readonly RefusedRow[]> {
  const secrets = new Secrets();
  secrets.learn({ kind: 'secret', name: 'ch', key: 'password' }, password);
  secrets.learn({ kind: 'secret', name: 'ch', key: 'url' }, url);
  const slot = listening(answering(end, positionIn), { asking: () => undefined }, (text) => secrets.hide(text));
  const ended = await slot.write(slot.newRows(), range, undefined, new AbortController().signal);
  assert.ok('refused' in ended);
  return ended.refused;
}

describe('what a sink says of refused rows', () => {
  const texts: readonly string[] = [
    `user app with password ${password} may not`,
    `policy of ${url} refuses`,
    `setting '${password}' is not known`,
    `authorization: Basic ${Buffer.from(`app:${password}`).toString('base64')} and ${Buffer.from(password).toString('base64')}`,
    `host ch.internal refuses`,
    encodeURIComponent(password),
    `${'x'.repeat(390)}${password}`,
  ];
  for (const positionIn of ['commitLog', 'sink'] as const) {
    for (const kind of ['stored', 'examined'] as const) {
      it(`S1: has no value of a Secret in the commit log (${kind}, position in ${positionIn})`, async () => {
        const refused = texts.map((problem, row) => ({
          row,
          error: mr('MR_RECORD_REFUSED', { sink: 'warehouse', problem }),
        }));
        const end: WriteEnd = kind === 'stored' ? { kind, refused } : { kind, refused, mayBeStored: true };
        const entry = JSON.stringify(encodeRefused('warehouse', asRecords(await refusedBy(end, positionIn))));
        for (const secret of [password, 'hunter2', 'ch.internal', Buffer.from(password).toString('base64')])
          assert.ok(!entry.includes(secret), entry);
        assert.match(entry, /\$\(secret:ch\/(password|url)\)/);
      });
    }
  }

  it('keeps rows, codes and texts without secrets as they are, also when it is read again', async () => {
    const rows = fc.uniqueArray(fc.nat(500), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(rows, fc.stringMatching(/^[a-g ]{0,50}$/), async (numbers, problem) => {
        const error = mr('MR_RECORD_REFUSED', { sink: 'warehouse', problem });
        const refused = numbers.map((row) => ({ row, error }));
        const hidden = asRecords(await refusedBy({ kind: 'stored', refused }, 'sink'));
        const kept = decodeRefused(encodeRefused('warehouse', hidden));
        assert.deepEqual(
          kept.map(({ record, error: { code, message } }) => [record, code, message]),
          numbers.toSorted((a, b) => a - b).map((row) => [row, error.code, error.message]),
        );
      }),
    );
  });
});

/** Each row is of the record of its number. */
function asRecords(rows: readonly RefusedRow[]): RefusedRecord[] {
  return rows.map(({ row, error }) => ({ record: row, error }));
}
