/**
 * What a worker pod says about itself, on every change of state and every 10 s: a last-value stream in memory that the
 * controller folds into conditions; an empty message is a farewell. Not on the record path: a report that cannot be sent is dropped, the next one says
 * more.
 */
import { z } from 'zod';
import { asksPerson } from '../model/errors.ts';
import { reportStream, reportSubject } from '../model/names.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { remakeSharedStreams } from './streams.ts';

const count = z.number().int().nonnegative();

/** What a pod may wait for, the cause before what it leads to: without NATS nothing moves; a full edge is what a sink leaves. */
const waitsFor = ['decision', 'lifecycle', 'nats', 'deadLetters', 'edge', 'attempt', 'outside'] as const;

export type WaitsFor = (typeof waitsFor)[number];

/** Less is told before more. A question to a person comes first, whoever asks it; a pod of v0.1 does not say for what it waits. */
export function rankOfWait(waiting: {
  readonly waitsFor?: WaitsFor | undefined;
  readonly code?: string | undefined;
}): number {
  if (asksPerson(waiting.code)) return waitsFor.indexOf('decision');
  return waiting.waitsFor === undefined ? waitsFor.length : waitsFor.indexOf(waiting.waitsFor);
}

export const podReportSchema = z.object({
  pid: z.string(),
  stage: z.string(),
  kind: z.enum(['ingestor', 'sink']),
  pod: z.string(),
  /** Of the plan that the pod runs. */
  generation: z.number().int(),
  /** Milliseconds since 1970, by the pod's clock. */
  at: z.number(),
  /** Slots of the whole stage, of which `slots` are this pod's. */
  stageSlots: count.optional(),
  /** To the system outside: the source or the sink. */
  connection: z.object({
    state: z.enum(['Connecting', 'Connected', 'Disconnected']),
    code: z.string().optional(),
    message: z.string().optional(),
    since: z.number(),
  }),
  flow: z.object({
    state: z.enum(['Starting', 'Flowing', 'Idle', 'Waiting']),
    /** What is waited for, for programs. */
    waitsFor: z.enum(waitsFor).optional(),
    /** And for people: `edge orders`, `sink warehouse`, `dead letters`, `nats`. */
    waitingOn: z.string().optional(),
    code: z.string().optional(),
    message: z.string().optional(),
  }),
  recordsIn: count,
  recordsOut: count,
  deadLetters: count,
  /** What waits before this pod's slots; absent when one of them cannot tell. */
  lag: z.number().nonnegative().optional(),
  /** Since when something waits before one of them, and it has not moved; by the pod's clock. */
  stillSince: z.number().optional(),
  slots: z.array(z.object({ slot: count, position: z.json(), lag: z.number().nonnegative().optional() })),
});

export type PodReport = z.infer<typeof podReportSchema>;

/** The last report of every pod of a pipeline that spoke within the last minute. Reports of another version are left out. */
export async function readPodReports(streams: JetStreamPort, pid: string): Promise<PodReport[]> {
  const messages = await streams.lastOfEach(reportStream, reportSubject(pid, '*', '*'));
  return messages.flatMap((message) => {
    if (isFarewell(message.data)) return [];
    const report = podReportSchema.safeParse(JSON.parse(Buffer.from(message.data).toString('utf8')));
    return report.success ? [report.data] : [];
  });
}

/** Publishes one report; makes the stream when nats-server has lost it. */
export async function publishPodReport(streams: JetStreamPort, report: PodReport): Promise<void> {
  const subject = reportSubject(report.pid, report.stage, report.pod);
  const text = JSON.stringify(report);
  try {
    await streams.publish(subject, text);
  } catch {
    // Most likely the stream went with the memory of a restarted server. Whatever else it is, the second try tells.
    await remakeSharedStreams(streams, report.pid);
    await streams.publish(subject, text);
  }
}

/** The last word of a pod that ends in order: its report counts no longer. A pod that is killed falls silent instead. */
export async function withdrawPodReport(
  streams: JetStreamPort,
  { pid, stage, pod }: Pick<PodReport, 'pid' | 'stage' | 'pod'>,
): Promise<void> {
  await streams.publish(reportSubject(pid, stage, pod), new Uint8Array());
}

/** An empty message in a report's place. */
export function isFarewell(data: Uint8Array): boolean {
  return data.length === 0;
}
