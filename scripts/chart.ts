/**
 * `npm run chart`: what a release has of the chart, in build/chart/: the package that `helm install` takes, and for those without
 * Helm `install.yaml`, the lab profile rendered.
 *
 * Without Helm nobody makes the token of the API: the Secret `millrace-api-token` must be there.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { resolveBinary } from '../local/binaries/resolve.ts';

const root = join(import.meta.dirname, '..');
const chart = join(root, 'deploy', 'chart', 'millrace');
const out = join(root, 'build', 'chart');
const namespace = 'millrace-system';

const helm = async (...args: readonly string[]) => {
  const { stdout } = await promisify(execFile)(await resolveBinary('helm'), args, { maxBuffer: 2 ** 26 });
  return stdout;
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await helm('package', chart, '--destination', out);
const values = ['profile=lab', 'api.auth.tokenSecret=millrace-api-token'].flatMap((value) => ['--set', value]);
const rendered = await helm(
  'template',
  'millrace',
  chart,
  '--namespace',
  namespace,
  '--no-hooks',
  '--skip-tests',
  ...values,
);
const manifest = `# Millrace in namespace ${namespace}, for one node and for trying. Before it:
#
#   kubectl create namespace ${namespace}
#   kubectl --namespace ${namespace} create secret generic millrace-api-token --from-literal=token="$(openssl rand -hex 24)"
#
# NATS asks nobody here, as under the lab profile. With users, the README of the chart says which Secrets to make first.
#
${rendered}`;
await writeFile(join(out, 'install.yaml'), manifest);
process.stdout.write(`${out}\n`);
