/**
 * `millrace nats-identity FOLDER`: makes the keys with which nats-server tells the control plane and the pods of each pipeline
 * apart, as the files that the processes and the server read.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { isSystemError } from '../../model/system-error.ts';
import { CommandFailed, exitCodes } from '../exit.ts';
import { print } from '../output.ts';

export function natsIdentityCommand(): Command {
  return new Command('nats-identity')
    .description('Make the keys with which NATS tells the control plane and the pods of each pipeline apart.')
    .addArgument(new Argument('<folder>', 'where the files are written; none of them may be there'))
    .action(async (folder: string) => {
      const { makeIdentity } = await import('../../workers/nats-identity/identity.ts');
      const { serverConfig, accountId, seeds, controlPlane } = await makeIdentity();
      const files = {
        'auth.conf': serverConfig,
        'user.creds': controlPlane,
        'account.nk': seeds.signing,
        'account-id': accountId,
        'keep/operator.nk': seeds.operator,
        'keep/account.nk': seeds.account,
        'keep/system-account.nk': seeds.systemAccount,
      };
      await mkdir(join(folder, 'keep'), { recursive: true });
      for (const [name, content] of Object.entries(files)) await writeNew(join(folder, name), content);
      print(nextSteps(folder));
    });
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
