import assert from 'node:assert/strict';
import { labels } from '../../model/names.ts';
import { isOwn, ownerMetadata } from '../../stream/stream-owner.ts';

const owner = { pid: 'orders-abc123', uid: 'uid-1', adopts: false };
const metadata = ownerMetadata(
  { pipeline: { name: 'orders', namespace: 'shop', uid: 'uid-1', pid: owner.pid, generation: 1 } },
  'cluster-1',
);
const own = { name: 'mr-orders-abc123-main', subjects: ['mr.orders-abc123.main.>'], metadata };
const silent = { name: own.name, subjects: own.subjects };

describe('whose a stream is', () => {
  const table: readonly (readonly [what: string, stream: Parameters<typeof isOwn>[0], own: boolean, ofV01: boolean])[] =
    [
      ['it says that it is the pipeline’s', own, true, true],
      ['it says another uid', { ...own, metadata: { ...metadata, [labels.pipelineUid]: 'uid-2' } }, false, false],
      ['it says nothing', silent, false, true],
      ['it says something else', { ...silent, metadata: { team: 'shop' } }, false, true],
      ['it takes everything', { ...silent, subjects: ['>'] }, false, false],
      ['it takes all of Millrace', { ...silent, subjects: ['mr.>'] }, false, false],
      ['it takes more than the pipeline’s', { ...own, subjects: [...own.subjects, 'shop.>'] }, false, false],
      ['it has another name', { ...silent, name: 'backup' }, false, false],
      ['it has the name of a longer id', { ...silent, name: 'mr-orders-abc1234-main' }, false, false],
    ];
  for (const [what, stream, isOwnStream, isOwnOfV01] of table) {
    it(`O2 O3: ${what}`, () => {
      assert.equal(isOwn(stream, owner), isOwnStream);
      assert.equal(isOwn(stream, { ...owner, adopts: true }), isOwnOfV01);
    });
  }
});
