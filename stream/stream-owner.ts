/**
 * Which pipeline a stream belongs to. The stream's metadata says so: the short id in its name has only 24 bits, and
 * several clusters may share one nats-server.
 *
 * O1  A stream of a pipeline carries the uid of the pipeline and of its cluster, and the place of its resource.
 * O2  A stream that carries another uid, or holds other subjects than its pipeline's, is foreign: it is never used,
 *     changed or deleted (MR_STREAM_FOREIGN).
 * O3  A stream without metadata is of v0.1, or was created by hand. Only a pipeline that v0.1 has set up adopts it.
 */
import type { StreamConfig } from '@nats-io/jetstream';
import { mr, type MillraceError } from '../model/errors.ts';
import { annotations, edgeStream, labels } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';

/** The pipeline whose streams are meant. */
export interface StreamOwner {
  readonly pid: string;
  readonly uid: string;
  /** O3. */
  readonly adopts: boolean;
}

type Config = Pick<StreamConfig, 'name' | 'subjects'> & { readonly metadata?: Readonly<Record<string, string>> };

/** O1. Empty where the cluster is not known: tests and benchmarks have none. */
export function ownerMetadata({ pipeline }: Pick<Plan, 'pipeline'>, cluster: string | undefined) {
  return {
    [labels.pipelineUid]: pipeline.uid,
    [labels.pipeline]: pipeline.name,
    [labels.pipelineNamespace]: pipeline.namespace,
    ...(cluster === undefined ? {} : { [annotations.cluster]: cluster }),
  };
}

/** O2, O3. */
export function isOwn({ name, subjects, metadata = {} }: Config, { pid, uid, adopts }: StreamOwner): boolean {
  const isShaped = name.startsWith(edgeStream(pid, '')) && subjects.every((each) => each.startsWith(`mr.${pid}.`));
  const said = metadata[labels.pipelineUid];
  return isShaped && (said === undefined ? adopts : said === uid);
}

export function foreignStream(server: string, { name, metadata = {} }: Config): MillraceError {
  const pipeline = `${metadata[labels.pipelineNamespace] ?? ''}/${metadata[labels.pipeline] ?? ''}`;
  const uid = metadata[labels.pipelineUid];
  const owner =
    uid === undefined ? 'it does not say whose it is' : `it belongs to pipeline ${pipeline} with uid ${uid}`;
  return mr('MR_STREAM_FOREIGN', { server, stream: name, owner });
}
