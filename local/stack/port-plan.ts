/**
 * Which port each part gets.
 *
 * R1  A port that was asked for is taken or refused (MR_PORT_IN_USE names its owner); it is never moved.
 * R2  A default port in use is moved to a free one, and the move is said with the owner.
 * R3  Ports are remembered in the data directory, so that the next start has the same.
 * R4  A part is not started on a port that was taken after it was chosen.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { freePort, isPortFree, portOwner } from '../ports.ts';

/** 0: any free port; nobody needs to know it by heart. */
export const defaultPorts = {
  nats: 4222,
  'nats-monitor': 8222,
  temporal: 7233,
  'temporal-ui': 8233,
  apiserver: 6443,
  etcd: 2379,
  clickhouse: 8123,
  api: 8088,
  kafka: 9092,
  'kafka-controller': 0,
  postgres: 5432,
  kubelet: 10250,
  'controller-health': 0,
  'lifecycle-health': 0,
} as const;

export type PortName = keyof typeof defaultPorts;
export type Ports = Readonly<Record<PortName, number>>;

export interface PortWishes {
  /** Explicitly asked for. */
  readonly asked: Readonly<Partial<Record<PortName, number>>>;
  /** `free`: any free port instead of the default, for tests beside a running stack. */
  readonly otherwise: 'default' | 'free';
  /** Remembers the ports. */
  readonly file: string;
  /** The ports that will be used; the others are not looked at. */
  readonly wanted: readonly PortName[];
  readonly say: (line: string) => void;
}

const remembered = z.record(z.string(), z.number().int().min(1).max(65_535));

export async function planPorts(wishes: PortWishes): Promise<Ports> {
  const before = await readRemembered(wishes.file);
  const ports: Record<PortName, number> = { ...defaultPorts };
  const given = new Set<number>();
  for (const name of portNames) {
    const known = before[name];
    if (!wishes.wanted.includes(name)) {
      ports[name] = known ?? defaultPorts[name];
      continue;
    }
    const port = await choose(name, known, given, wishes);
    given.add(port);
    ports[name] = port;
  }
  const remember = Object.fromEntries(portNames.filter((name) => ports[name] > 0).map((name) => [name, ports[name]]));
  await mkdir(dirname(wishes.file), { recursive: true });
  await writeFile(`${wishes.file}.new`, `${JSON.stringify(remember, null, 2)}\n`);
  await rename(`${wishes.file}.new`, wishes.file);
  return ports;
}

export const portNames = Object.keys(defaultPorts).filter((name): name is PortName => name in defaultPorts);

async function choose(
  name: PortName,
  known: number | undefined,
  given: ReadonlySet<number>,
  wishes: PortWishes,
): Promise<number> {
  const asked = wishes.asked[name];
  if (asked !== undefined) {
    await refuseInUse(name, asked);
    return asked;
  }
  const usual = known ?? (wishes.otherwise === 'free' ? 0 : defaultPorts[name]);
  if (usual === 0) return unlessGiven(given);
  if (!given.has(usual) && (await isPortFree(usual))) return usual;
  const moved = await unlessGiven(given);
  const owner = given.has(usual) ? 'another part' : await portOwner(usual);
  wishes.say(`port ${usual} for ${name} is in use by ${owner}; ${name} gets ${moved}`);
  return moved;
}

/** R4. */
export async function refusePortsInUse(names: readonly PortName[], ports: Ports): Promise<void> {
  for (const name of names) await refuseInUse(name, ports[name]);
}

async function refuseInUse(name: PortName, port: number): Promise<void> {
  if (await isPortFree(port)) return;
  throw mr('MR_PORT_IN_USE', { port, part: name, owner: await portOwner(port), flag: `--port ${name}=N` });
}

async function unlessGiven(given: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (!given.has(port)) return port;
  }
}

async function readRemembered(file: string): Promise<Readonly<Record<string, number>>> {
  try {
    return remembered.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // The first start, or a file damaged by a full disk: the defaults are as good.
    return {};
  }
}
