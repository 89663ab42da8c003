import { match, notStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../local/ports.ts';
import { planPorts, refusePortsInUse, type PortWishes } from '../../../local/stack/port-plan.ts';

describe('the ports of the stack', () => {
  let dir: string;
  let said: string[];
  const servers: Server[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-ports-'));
    said = [];
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    await rm(dir, { recursive: true, force: true });
  });

  const wishes = (over: Partial<PortWishes> = {}): PortWishes => ({
    asked: {},
    otherwise: 'free',
    file: join(dir, 'ports.json'),
    wanted: ['nats', 'api'],
    say: (line) => void said.push(line),
    ...over,
  });

  async function occupy(port: number): Promise<void> {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  }

  it('R1: takes a port that was asked for', async () => {
    const port = await freePort();
    strictEqual((await planPorts(wishes({ asked: { nats: port } }))).nats, port);
  });

  it('R1: refuses a port in use that was asked for, and names its owner and the option', async () => {
    const port = await freePort();
    await occupy(port);
    await rejects(planPorts(wishes({ asked: { nats: port } })), (error: Error & { fix?: string }) => {
      match(error.message, new RegExp(`MR_PORT_IN_USE: Port ${port} for nats is in use by process ${process.pid}`));
      match(error.fix ?? '', /--port nats=N/);
      return true;
    });
  });

  it('R2: moves a port in use that was not asked for, and says who has it', async () => {
    const before = await planPorts(wishes());
    await occupy(before.nats);
    const after = await planPorts(wishes());
    notStrictEqual(after.nats, before.nats);
    match(
      said.join('\n'),
      new RegExp(`port ${before.nats} for nats is in use by process ${process.pid} .*nats gets ${after.nats}`),
    );
  });

  it('R3: gives the same ports at the next start', async () => {
    const before = await planPorts(wishes());
    const after = await planPorts(wishes());
    strictEqual(after.nats, before.nats);
    strictEqual(after.api, before.api);
  });

  it('R3: keeps the port of a part that is left out once', async () => {
    const before = await planPorts(wishes({ wanted: ['nats', 'kafka'] }));
    await planPorts(wishes());
    strictEqual((await planPorts(wishes({ wanted: ['nats', 'kafka'] }))).kafka, before.kafka);
  });

  it('R4: refuses to start on a port that was taken after it was chosen', async () => {
    const ports = await planPorts(wishes());
    await refusePortsInUse(['nats'], ports);
    await occupy(ports.nats);
    await rejects(refusePortsInUse(['nats'], ports), /MR_PORT_IN_USE/);
  });

  it('gives no port twice', async () => {
    const ports = await planPorts(
      wishes({ wanted: ['nats', 'nats-monitor', 'temporal', 'temporal-ui', 'api', 'etcd'] }),
    );
    const given = [ports.nats, ports['nats-monitor'], ports.temporal, ports['temporal-ui'], ports.api, ports.etcd];
    strictEqual(new Set(given).size, given.length);
    ok(given.every((port) => port > 0));
  });
});
