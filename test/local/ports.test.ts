import { match, ok, strictEqual } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { freePort, isPortFree, portOwner } from '../../local/ports.ts';

describe('ports on loopback', () => {
  it('gives a port that nothing listens on', async () => {
    ok(await isPortFree(await freePort()));
  });

  it('gives a port that no outgoing connection takes while its server is restarted', async () => {
    const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768 60999');
    ok((await freePort()) < Number(range.trim().split(/\s+/)[0]));
  });

  it('names the process that listens on a port', async () => {
    const port = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    strictEqual(await isPortFree(port), false);
    match(await portOwner(port), new RegExp(`^process ${process.pid} \\(.+\\)$`));
    await new Promise((resolve) => server.close(resolve));
  });
});
