/**
 * What a worker pod reports about itself, on every change of state and every 10 s: a last-value stream in memory that
 * the controller turns into conditions. An empty message means that the pod has ended. Reports are not on the record
 * path: one that cannot be sent is dropped, because the next contains everything.
 */
import { z } from 'zod';
import { asksPerson } from '../model/errors.ts';
import { reportStream, reportSubject } from '../model/names.ts';
import type { JetStreamPort } from './jetstream-port.ts';
import { remakeSharedStreams } from './streams.ts';

const count = z.number().int().nonnegative();

/**
 * What a pod may wait for, causes before effects: without NATS nothing moves; a full edge is the effect of a slow
 * sink.
 */
const waitsFor = ['decision', 'lifecycle', 'nats', 'deadLetters', 'edge', 'attempt', 'outside'] as const;

export type WaitsFor = (typeof waitsFor)[number];

/**
 * Sorts reasons for waiting. A question to a person comes first, whoever asks it; a pod of v0.1 does not say what it
 * waits for.
 */
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
  /** Generation of the plan that the pod runs. */
  generation: z.number().int(),
  /** Milliseconds since 1970, by the pod's clock. */
  at: z.number(),
  /** Slots of the whole stage, of which `slots` are this pod's. */
  stageSlots: count.optional(),
  /** Connection to the external system: the source or the sink. */
  connection: z.object({
    state: z.enum(['Connecting', 'Connected', 'Disconnected']),
    code: z.string().optional(),
    message: z.string().optional(),
    since: z.number(),
  }),
  flow: z.object({
    state: z.enum(['Starting', 'Flowing', 'Idle', 'Waiting']),
    /** What it waits for, for programs. */
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
  /** Since when records have been waiting before one of the slots without moving; by the pod's clock. */
  stillSince: z.number().optional(),
  slots: z.array(z.object({ slot: count, position: z.json(), lag: z.number().nonnegative().optional() })),
});

export type PodReport = z.infer<typeof podReportSchema>;

/**
 * The last report of every pod of a pipeline that reported within the last minute. Reports of another version are
 * skipped.
 */
export async function readPodReports(streams: JetStreamPort, pid: string): Promise<PodReport[]> {
  const messages = await streams.lastOfEach(reportStream, reportSubject(pid, '*', '*'));
  return messages.flatMap((message) => {
    if (isFarewell(message.data)) return [];
    const report = podReportSchema.safeParse(JSON.parse(Buffer.from(message.data).toString('utf8')));
    return report.success ? [report.data] : [];
  });
}

/** Publishes one report; recreates the stream when nats-server has lost it. */
export async function publishPodReport(streams: JetStreamPort, report: PodReport): Promise<void> {
  const subject = reportSubject(report.pid, report.stage, report.pod);
  const text = JSON.stringify(report);
  try {
    await streams.publish(subject, text);
  } catch {
    // Most likely a restarted server lost the stream with its memory. If not, the second attempt shows the cause.
    await remakeSharedStreams(streams, report.pid);
    await streams.publish(subject, text);
  }
}

/** The farewell of a pod that ends in order: its report no longer counts. A pod that is killed just stops reporting. */
export async function withdrawPodReport(
  streams: JetStreamPort,
  { pid, stage, pod }: Pick<PodReport, 'pid' | 'stage' | 'pod'>,
): Promise<void> {
  await streams.publish(reportSubject(pid, stage, pod), new Uint8Array());
}

/** An empty message replaces the report. */
export function isFarewell(data: Uint8Array): boolean {
  return data.length === 0;
}
