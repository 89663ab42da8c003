/**
 * `millrace nats-identity FOLDER` or `--secrets PREFIX`: makes the keys with which nats-server tells the control plane and the
 * pods of each pipeline apart, as the files that the processes and the server read, or as Secrets with these files.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { isSystemError } from '../../model/system-error.ts';
import { withCluster, withClusterOptions, type ClusterOptions } from '../cluster.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { print } from '../output.ts';

interface Options extends ClusterOptions {
  readonly secrets?: string;
}

export function natsIdentityCommand(): Command {
  return withClusterOptions(
    new Command('nats-identity')
      .description('Make the keys with which NATS tells the control plane and the pods of each pipeline apart.')
      .addArgument(new Argument('[folder]', 'where the files are written; none of them may be there'))
      .option('--secrets <prefix>', 'make Secrets in place of files, unless they are there: <prefix>-nats-server, …'),
  ).action(async (folder: string | undefined, options: Options) => {
    const { secrets } = options;
    if (folder !== undefined && secrets === undefined) return toFolder(folder);
    if (folder === undefined && secrets !== undefined) return toSecrets(secrets, options);
    throw new CommandFailed(exitCodes.usage, 'Name either a folder, or the beginning of names of Secrets (--secrets).');
  });
}

async function toFolder(folder: string): Promise<void> {
  const { filesOf } = await import('../../workers/nats-identity/files.ts');
  const { makeIdentity } = await import('../../workers/nats-identity/identity.ts');
  const { keep, ...used } = filesOf(await makeIdentity());
  await mkdir(join(folder, 'keep'), { recursive: true });
  for (const files of Object.values(used)) await writeAll(folder, files);
  await writeAll(join(folder, 'keep'), keep);
  print(nextSteps(folder));
}

async function toSecrets(prefix: string, options: Options): Promise<void> {
  const { keepKeys } = await import('../../workers/nats-identity/secrets.ts');
  await withCluster(options, async ({ kube, namespace }) => {
    const { outcome, names } = await keepKeys(kube, { namespace, prefix });
    const said = outcome === 'made' ? 'made' : 'there already, and left as it is';
    print(names.map((name) => `secret/${name} ${said}\n`).join(''));
  });
}

async function writeAll(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeNew(join(folder, name), content);
}

/** Readable by whoever runs this, and never in the place of another: a key that is overwritten locks pipelines out. */
async function writeNew(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
    throw new CommandFailed(exitCodes.failure, `${path} is there already; name a folder without these files`);
  }
}

function nextSteps(folder: string): string {
  return `${folder}/auth.conf             include it in the configuration of each nats-server (nothing in it is secret)
${folder}/user.creds            MILLRACE_NATS_ACCESS_DIR of controller, lifecycle and preflight
${folder}/account.nk            with account-id: MILLRACE_NATS_ACCOUNT_DIR of the lifecycle, which makes a user for each pipeline
${folder}/keep/                 for new claims of the server; no process needs it: keep it elsewhere
`;
}
