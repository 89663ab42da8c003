/** A second broker beside the node that `startKafka` starts, so that leaders can move. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { resolveKafkaJars } from '../../../local/kafka/jars.ts';
import { answersApiVersions } from '../../../local/kafka/probe.ts';
import { freePort } from '../../../local/ports.ts';
import { startProcess, type RunningProcess } from '../../../local/process.ts';

const run = promisify(execFile);

/** `dir` is that of the first node, whose controller listens on `controllerPort`. The broker's node id is 2. Started again, it is the same. */
export async function startSecondBroker(dir: string, controllerPort: number): Promise<RunningProcess> {
  const jars = await resolveKafkaJars();
  const port = await freePort();
  const own = join(dir, 'second');
  await mkdir(own, { recursive: true });
  const config = join(own, 'server.properties');
  const lines = [
    'process.roles=broker',
    'node.id=2',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `listeners=PLAINTEXT://127.0.0.1:${port}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    `log.dirs=${join(own, 'logs')}`,
    'offsets.topic.replication.factor=1',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const meta = await readFile(join(dir, 'logs', 'meta.properties'), 'utf8');
  const clusterId = /^cluster\.id=(.+)$/m.exec(meta)?.[1] ?? '';
  const classPath = ['-cp', join(jars, '*')];
  const format = [
    'kafka.tools.StorageTool',
    'format',
    '--ignore-formatted',
    '--cluster-id',
    clusterId,
    '--config',
    config,
  ];
  await run('java', [...classPath, ...format]);
  return startProcess({
    name: 'second Kafka broker',
    command: 'java',
    args: ['-Xmx256m', ...classPath, 'kafka.Kafka', config],
    logFile: join(own, 'kafka.log'),
    ready: () => answersApiVersions(port),
    graceMs: 20_000,
  });
}
