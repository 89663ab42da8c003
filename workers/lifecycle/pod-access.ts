/**
 * What lets the pods of pipelines in, from the files that this process has mounted.
 *
 * A1  With the seed of an account, the pods of each pipeline get a user of their own, which may do what they do and nothing else
 *     (`stream/permissions.ts`). It is made anew by each operation, and does not expire: what ends it is another seed.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { PodAccess } from '../../activities/index.ts';
import { mr, problemOf } from '../../model/errors.ts';
import { jsonOrNothing } from '../../model/json-or-nothing.ts';
import type { Plan } from '../../model/plan.ts';
import { permissionsOf } from '../../stream/permissions.ts';
import { makeUser } from '../nats-identity/identity.ts';
import { AccessFolder } from '../process/access-folder.ts';
import { natsAccess, natsFiles } from '../process/nats.ts';

export interface PodAccessConfig {
  /** The same files for all pipelines. */
  readonly natsAccessDir: string | undefined;
  /** A1: `account.nk`, a seed; and `account-id`, when that is of a signing key. */
  readonly natsAccountDir?: string | undefined;
  /** A file with a dockerconfigjson. */
  readonly pullConfigs: string | undefined;
}

export function podAccessFrom({ natsAccessDir, natsAccountDir, pullConfigs }: PodAccessConfig): PodAccess {
  return {
    nats: async (plan) => {
      if (natsAccessDir === undefined && natsAccountDir === undefined) return undefined;
      const files = natsAccessDir === undefined ? {} : natsFilesIn(natsAccessDir);
      return natsAccountDir === undefined ? files : { ...files, 'user.creds': await userOf(plan, natsAccountDir) };
    },
    pullConfig: () => (pullConfigs === undefined ? undefined : readPullConfig(pullConfigs)),
  };
}

function natsFilesIn(path: string): Readonly<Record<string, string>> {
  // Refused here, and not by each pod.
  natsAccess(path);
  const folder = new AccessFolder(path, 'NATS');
  const files = natsFiles.map((name) => [name, folder.read(name)] as const);
  return Object.fromEntries(files.flatMap(([name, content]) => (content === undefined ? [] : [[name, content]])));
}

/** A1. */
async function userOf(plan: Plan, path: string): Promise<string> {
  const folder = new AccessFolder(path, 'NATS');
  const accountSeed = folder.readLine('account.nk');
  const accountId = folder.readLine('account-id');
  if (accountSeed === undefined) throw folder.invalid('it must have the file account.nk, and has not');
  const { namespace, name } = plan.pipeline;
  const wanted = { accountSeed, name: `${namespace}/${name}`, permissions: permissionsOf(plan) };
  try {
    return await makeUser(accountId === undefined ? wanted : { ...wanted, accountId });
  } catch {
    // What is wrong with a key is not repeated: the message may hold some of it.
    throw folder.invalid('account.nk must be the seed of an account or of a signing key (SA…), and cannot sign');
  }
}

const pullConfigSchema = z.looseObject({ auths: z.record(z.string(), z.unknown()) });

/** Kubernetes refuses a Secret of this type with anything else. */
function readPullConfig(path: string): string {
  const text = readText(path);
  // The parser's own error would repeat some of the text.
  const parsed = pullConfigSchema.safeParse(jsonOrNothing(text));
  if (!parsed.success) throw invalid(path, 'it is not a dockerconfigjson, which is JSON with the field "auths"');
  return text;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(path, `it cannot be read: ${problemOf(error)}`, error);
  }
}

function invalid(path: string, problem: string, cause?: unknown): Error {
  return mr('MR_ACCESS_INVALID', { folder: path, server: 'the registry of the image', problem }, { cause });
}
