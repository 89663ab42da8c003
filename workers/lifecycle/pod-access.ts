/** What lets the pods of pipelines in, from the files that this process has mounted. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { PodAccess } from '../../activities/index.ts';
import { mr, problemOf } from '../../model/errors.ts';
import { AccessFolder } from '../process/access-folder.ts';
import { natsAccess, natsFiles } from '../process/nats.ts';

export interface PodAccessConfig {
  /** The same files for all pipelines. */
  readonly natsAccessDir: string | undefined;
  /** A file with a dockerconfigjson. */
  readonly pullConfigs: string | undefined;
}

export function podAccessFrom({ natsAccessDir, pullConfigs }: PodAccessConfig): PodAccess {
  return {
    // Not async, but it rejects: what reading throws is thrown in a callback.
    nats: () => Promise.resolve(natsAccessDir).then((path) => (path === undefined ? undefined : natsFilesIn(path))),
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

const pullConfigSchema = z.looseObject({ auths: z.record(z.string(), z.unknown()) });

/** Kubernetes refuses a Secret of this type with anything else. */
function readPullConfig(path: string): string {
  const text = readText(path);
  const parsed = pullConfigSchema.safeParse(jsonOf(text));
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

/** The parser's error repeats some of the text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(path: string, problem: string, cause?: unknown): Error {
  return mr('MR_ACCESS_INVALID', { folder: path, server: 'the registry of the image', problem }, { cause });
}
