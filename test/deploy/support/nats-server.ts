/** The nats-server of the chart on this machine: the configuration and the certificate as they are rendered, with its paths and addresses. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { resolveBinary } from '../../../local/binaries/resolve.ts';
import { freePort } from '../../../local/ports.ts';
import { startProcess, type RunningProcess } from '../../../local/process.ts';
import type { Rendered } from './helm.ts';

const withData = z.looseObject({ data: z.record(z.string(), z.string()) });

export interface ChartServer extends RunningProcess {
  /** Its host is a name, as in its certificate. */
  readonly url: string;
  /** Of its monitoring. */
  readonly monitor: string;
  /** Where it listens to the others; undefined: it is alone. */
  readonly routePort: number | undefined;
}

/** `files`: those of the Secret that the server mounts. As many servers as the chart has replicas. */
export async function startChartServers(
  objects: readonly Rendered[],
  dir: string,
  files: Readonly<Record<string, string>>,
): Promise<readonly ChartServer[]> {
  const config = dataOf(objects, 'ConfigMap', 'millrace-nats')['nats.conf'] ?? '';
  const routes = [...config.matchAll(/"nats:\/\/[^"]+:6222"/g)].map(([route]) => route);
  const routePorts = await Promise.all(routes.map(() => freePort()));
  const mounted = { ...files, ...certificateOf(objects) };
  const names = routes.length === 0 ? ['millrace-nats-0'] : routes.map((_, index) => `millrace-nats-${index}`);
  const starting = names.map(async (name, index) => {
    const routed = routes.reduce(
      (text, route, at) => text.replace(route, `"nats://localhost:${routePorts[at]}"`),
      config.replace('0.0.0.0:6222', `127.0.0.1:${routePorts[index]}`),
    );
    return start({ name, dir: join(dir, name), config: routed, mounted, routePort: routePorts[index] });
  });
  return Promise.all(starting);
}

/** As a Secret has them, decoded. */
export function certificateOf(objects: readonly Rendered[]): Readonly<Record<string, string>> {
  const encoded = Object.entries(dataOf(objects, 'Secret', 'millrace-nats-tls'));
  return Object.fromEntries(encoded.map(([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')]));
}

function dataOf(objects: readonly Rendered[], kind: string, name: string): Readonly<Record<string, string>> {
  return withData.parse(objects.find((one) => one.kind === kind && one.metadata.name === name)).data;
}

interface Starting {
  readonly name: string;
  readonly dir: string;
  readonly config: string;
  readonly mounted: Readonly<Record<string, string>>;
  readonly routePort: number | undefined;
}

async function start({ name, dir, config, mounted, routePort }: Starting): Promise<ChartServer> {
  const [port, monitorPort] = [await freePort(), await freePort()];
  const text = config
    .replace('0.0.0.0:4222', `127.0.0.1:${port}`)
    .replace('0.0.0.0:8222', `127.0.0.1:${monitorPort}`)
    .replaceAll('"/etc/nats/', `"${dir}/etc/`)
    .replace('"/run/nats/', `"${dir}/`)
    .replace('"/data"', `"${dir}/data"`)
    // More than the disk of a laptop may have.
    .replace(/max_file_store: \S+/, 'max_file_store: 1Gi');
  await mkdir(join(dir, 'etc'), { recursive: true });
  for (const [file, content] of Object.entries({ ...mounted, 'nats.conf': text }))
    await writeFile(join(dir, 'etc', file), content);
  const monitor = `http://127.0.0.1:${monitorPort}`;
  const running = await startProcess({
    ...{ name: 'nats-server', command: await resolveBinary('nats-server') },
    args: ['--config', join(dir, 'etc', 'nats.conf')],
    env: { POD_NAME: name, ROUTE_ADDRESS: `localhost:${routePort}` },
    logFile: join(dir, 'nats.log'),
    ready: async () => (await fetch(`${monitor}/healthz`)).ok,
  });
  return { ...running, monitor, routePort, url: `nats://localhost:${port}` };
}
