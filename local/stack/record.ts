/**
 * What a running stack leaves for other processes to read: who supervises it, what runs where.
 *
 * Processes are named by pid and start time, so that a stale record never leads to another process being signalled.
 */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { readFileIfThere, writeFileAtomic } from '../files.ts';
import { processIdentitySchema } from '../process-identity.ts';

export const partStates = ['waiting', 'starting', 'running', 'restarting', 'stopped'] as const;

const partRecord = z.object({
  name: z.string(),
  state: z.enum(partStates),
  process: processIdentitySchema.optional(),
  address: z.string(),
  logFile: z.string(),
  restarts: z.number().int().nonnegative(),
  /** Why it is not running. */
  problem: z.string().optional(),
});

const endpoints = z.object({
  kubeconfig: z.string(),
  kubernetesUrl: z.string(),
  natsUrl: z.string(),
  temporalAddress: z.string(),
  temporalUiUrl: z.string(),
  clickhouseUrl: z.string(),
  apiUrl: z.string(),
  kafka: z.string().optional(),
  postgres: z.string().optional(),
});

const stackRecord = z.object({
  version: z.literal(1),
  supervisor: processIdentitySchema,
  since: z.string(),
  ready: z.boolean(),
  endpoints,
  parts: z.array(partRecord),
});

export type PartRecord = Readonly<z.infer<typeof partRecord>>;
export type StackEndpoints = Readonly<z.infer<typeof endpoints>>;
export type StackRecord = Readonly<z.infer<typeof stackRecord>>;

const recordFile = (dataDir: string) => join(dataDir, 'stack.json');

/** The record, or undefined when no stack was left running here. */
export async function readStackRecord(dataDir: string): Promise<StackRecord | undefined> {
  const text = await readFileIfThere(recordFile(dataDir));
  return text === undefined ? undefined : stackRecord.parse(JSON.parse(text));
}

/** Only the owner may read it: Postgres's address holds a password. */
export async function writeStackRecord(dataDir: string, record: StackRecord): Promise<void> {
  const file = recordFile(dataDir);
  await mkdir(dirname(file), { recursive: true });
  await writeFileAtomic(file, `${JSON.stringify(record, null, 2)}\n`);
}

export async function removeStackRecord(dataDir: string): Promise<void> {
  await rm(recordFile(dataDir), { force: true });
}
