import { notStrictEqual, rejects, strictEqual, throws } from 'node:assert/strict';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAddressBook, parseNetwork } from '../../../local/node/addresses.ts';
import { claimDataDir } from '../../../local/node/data-dir.ts';
import { claimNetwork } from '../../../local/node/network.ts';

describe('pod addresses', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-addresses-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  it('D1: a pod has one address, which no other pod has, also after a restart', async () => {
    const file = join(dir, 'addresses.json');
    const book = await openAddressBook(file, '127.77.0.0/16');
    strictEqual(await book.addressOf('a'), '127.77.0.1');
    strictEqual(await book.addressOf('b'), '127.77.0.2');
    strictEqual(await book.addressOf('a'), '127.77.0.1');
    const again = await openAddressBook(file, '127.77.0.0/16');
    strictEqual(await again.addressOf('b'), '127.77.0.2');
    strictEqual(await again.addressOf('c'), '127.77.0.3');
  });

  it('D2: a freed address is given out after all others', async () => {
    const book = await openAddressBook(join(dir, 'addresses.json'), '127.77.0.0/30');
    const first = await book.addressOf('a');
    await book.release('a');
    notStrictEqual(await book.addressOf('b'), first);
    await book.addressOf('c');
    strictEqual(await book.addressOf('d'), first);
    await rejects(book.addressOf('e'), { code: 'MR_PART_FAILED' });
  });

  it('leaves out addresses that end in 0 and 255', () => {
    const network = parseNetwork('127.77.0.0/16');
    strictEqual(network.host(254), '127.77.0.254');
    strictEqual(network.host(255), '127.77.1.1');
  });

  for (const cidr of ['10.0.0.0/16', '127.0.0.0/31', '127.0.0.0', 'x']) {
    it(`refuses the network ${cidr}`, () => {
      throws(() => parseNetwork(cidr), RangeError);
    });
  }

  it('W1, W2: nodes have different networks, and each keeps its own', async () => {
    const locks = join(dir, 'locks');
    const homes = [join(dir, 'a'), join(dir, 'b')] as const;
    for (const path of [locks, ...homes]) await mkdir(path);
    const a = await claimNetwork(homes[0], locks);
    // The second node would like the same network.
    await writeFile(join(homes[1], 'pod-network'), a.cidr);
    const b = await claimNetwork(homes[1], locks);
    notStrictEqual(a.cidr, b.cidr);
    await b.release();
    strictEqual((await claimNetwork(homes[1], locks)).cidr, b.cidr);
  });

  it('W1: the network of a data directory that is gone is free', async () => {
    const locks = join(dir, 'locks');
    await mkdir(locks);
    await mkdir(join(dir, 'b'));
    const [, second] = '127.40.0.0/16'.split('.');
    const held = { dataDir: join(dir, 'gone'), owner: { pid: 1, startedAt: 'before' } };
    await writeFile(join(locks, `millrace-network-127.${second ?? ''}.lock`), JSON.stringify(held));
    await writeFile(join(dir, 'b', 'pod-network'), '127.40.0.0/16');
    strictEqual((await claimNetwork(join(dir, 'b'), locks)).cidr, '127.40.0.0/16');
  });

  it("W1: a damaged claim is nobody's, once it is too old to be under way", async () => {
    const locks = join(dir, 'locks');
    await mkdir(locks);
    await mkdir(join(dir, 'b'));
    const lock = join(locks, 'millrace-network-127.40.lock');
    await writeFile(lock, '{"dataDir":');
    await writeFile(join(dir, 'b', 'pod-network'), '127.40.0.0/16');
    strictEqual((await claimNetwork(join(dir, 'b'), locks)).cidr, '127.41.0.0/16');
    const old = new Date(Date.now() - 60_000);
    await utimes(lock, old, old);
    await writeFile(join(dir, 'b', 'pod-network'), '127.40.0.0/16');
    strictEqual((await claimNetwork(join(dir, 'b'), locks)).cidr, '127.40.0.0/16');
  });

  it('refuses a second node for one data directory, and not one after a dead node', async () => {
    const claim = await claimDataDir(dir);
    await rejects(claimDataDir(dir), /is in use by the node with pid/);
    await writeFile(join(dir, 'node.lock'), JSON.stringify({ pid: process.pid, startedAt: 'another boot' }));
    await claimDataDir(dir);
    await claim.release();
  });
});
