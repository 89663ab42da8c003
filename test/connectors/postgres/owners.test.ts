/** What a slot meets of those who owned it before, and of a server that is not the one it was. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { sink } from '../../../connectors/postgres/index.ts';
import { MillraceError } from '../../../model/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { batch, noSignal, rowsOf, sinkContext, slotId, write } from '../sink-context.ts';
import { withTestPostgres, type TestPostgres } from './test-postgres.ts';

describe('a PostgreSQL sink', function () {
  let postgres: TestPostgres;

  withTestPostgres((started) => void (postgres = started));

  const run = (text: string) => postgres.run(text);

  /** A way to the server that nothing passes towards it once a COPY has begun: as if the client had been frozen there. */
  async function freezingInCopy() {
    const server = createServer((client) => {
      const upstream = connect(postgres.server.port, '127.0.0.1');
      client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
      upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
      client.on('data', (bytes: Buffer) => {
        upstream.write(bytes);
        if (bytes.includes('COPY ')) client.pause();
      });
      upstream.pipe(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, close: () => server.close() };
  }

  it('S2: an owner that is frozen in the middle of a COPY does not hold up the next one', async () => {
    await run('CREATE TABLE frozen (id int)');
    const way = await freezingInCopy();
    const former = await sink.connect(postgres.config({ table: 'frozen', port: way.port }), sinkContext());
    const formerSlot = await former.open(slotId);
    const frozen = formerSlot.write(rowsOf(formerSlot, [{ id: 1 }]), batch(0, 1), undefined, noSignal);
    const inCopy = `SELECT application_name AS name FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'ClientRead' AND state = 'active'`;
    await eventually(async () => ok((await run(inCopy)).length === 1));
    deepEqual(
      (await run(inCopy)).map(({ name }) => String(name).replace(/[0-9a-f]{10} [0-9]{13}/, '…')),
      ['millrace … slot 0 of orders/warehouse'],
    );

    const next = await sink.connect(postgres.config({ table: 'frozen', statementTimeout: '2s' }), sinkContext());
    const nextSlot = await eventually(() => next.open(slotId));
    deepEqual(await write(nextSlot, rowsOf(nextSlot, [{ id: 1 }]), batch(0, 1)), []);
    equal((await frozen).kind, 'nothing');
    deepEqual(await run('SELECT id FROM frozen'), [{ id: 1 }]);
    await Promise.all([former.close(), next.close()]);
    way.close();
  });

  it('S2: a session of another slot is left alone', async () => {
    await run('CREATE TABLE beside (id int)');
    const way = await freezingInCopy();
    const other = await sink.connect(postgres.config({ table: 'beside', port: way.port }), sinkContext());
    const otherSlot = await other.open({ ...slotId, slot: 1 });
    const aborted = new AbortController();
    const frozen = otherSlot.write(rowsOf(otherSlot, [{ id: 1 }]), batch(0, 1), undefined, aborted.signal);
    const inCopy = `SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'ClientRead' AND state = 'active'`;
    await eventually(async () => ok((await run(inCopy)).length === 1));
    const here = await sink.connect(postgres.config({ table: 'beside' }), sinkContext());
    await here.open({ ...slotId, stage: 'sink-beside' });
    await eventually(async () =>
      ok((await run(`${inCopy} AND xact_start < now() - interval '3 seconds'`)).length === 1),
    );
    await here.open({ ...slotId, stage: 'sink-beside-too' });
    equal((await run(inCopy)).length, 1);
    aborted.abort();
    await frozen.catch(() => undefined);
    await Promise.all([here.close(), other.close()]);
    way.close();
  });

  it('a default means the same in each session, whatever the search path is at the time', async () => {
    await run(`CREATE SCHEMA a; CREATE SCHEMA b; CREATE SEQUENCE a.sq; CREATE SEQUENCE b.sq START 1000;
      CREATE ROLE pathed LOGIN PASSWORD 'x' SUPERUSER; ALTER ROLE pathed SET search_path = a, public;
      CREATE TABLE public.pathed (id int PRIMARY KEY, v text DEFAULT 'N' || nextval('a.sq'))`);
    const config = postgres.config({ table: 'pathed', upsertKey: ['id'], username: 'pathed', password: 'x' });
    const connected = await sink.connect(config, sinkContext());
    const slot = await connected.open({ ...slotId, stage: 'sink-pathed' });
    await write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1));
    await run('ALTER ROLE pathed SET search_path = b, public');
    await run(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'pathed'`);
    await eventually(() => write(slot, rowsOf(slot, [{ id: 2 }]), batch(1, 2)));
    deepEqual(await run('SELECT v FROM public.pathed ORDER BY id'), [{ v: 'N1' }, { v: 'N2' }]);
    await connected.close();
  });

  it('says of a server that has become a standby that it is one', async () => {
    await run('CREATE TABLE standing_by (id int)');
    const connected = await sink.connect(postgres.config({ table: 'standing_by' }), sinkContext());
    const slot = await connected.open({ ...slotId, stage: 'sink-standing-by' });
    await write(slot, rowsOf(slot, [{ id: 1 }]), batch(0, 1));
    await postgres.connections.close();
    await postgres.server.stop();
    await writeFile(join(dirname(postgres.server.logFile), 'data', 'standby.signal'), '', { mode: 0o644 });
    await postgres.server.restart();
    await eventually(async () => {
      const end = await slot.write(rowsOf(slot, [{ id: 2 }]), batch(1, 2), undefined, noSignal);
      ok(end.kind === 'nothing' && end.error instanceof MillraceError);
      deepEqual(
        [end.error.code, /standby/.test(end.error.sentence)],
        ['MR_SINK_UNREACHABLE', true],
        end.error.sentence,
      );
    });
    await connected.close();
  });
});
