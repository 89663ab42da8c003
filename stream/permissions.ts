/**
 * What the worker pods of one pipeline may do on NATS: what they do, and nothing else.
 *
 * I1  They write their own frames, commits, dead letters, questions, leases and reports. What the lifecycle tells them
 *     (the plan in force, who is registered, a person's decision) they read and cannot write.
 * I2  They read, sweep and resize the streams of their own pipeline. They create, delete and list none, but for those of
 *     the leases and the reports, which a server that restarts has lost (`./streams.ts`, S2).
 * I3  Answers reach them under an inbox of their own: no pod hears what another pipeline is answered.
 *
 * All pods of a pipeline have the same permissions: they are one program, and a sink can only be harmed by its own source.
 *
 * nats-server checks the subject of a request, but neither what the request says nor where its answer goes. So a hostile
 * pod still can (test/stream/permissions-remaining.test.ts):
 *
 * H1  change its own streams into something else (STREAM.UPDATE, which `./room.ts` needs): `sources` copies into them what
 *     any other stream holds, frames and reports of other pipelines among it, `republish` sends what they store to any
 *     subject, and `subjects` takes in whatever no stream stores, such as the answers to the control plane.
 * H2  choose where an answer goes, past I1. The answer to its own DIRECT.GET is a message of its own, and where a stream
 *     stores the subject, it is stored: as a frame of another pipeline, or as a plan or a decision for it. What a consumer
 *     delivers reaches whoever listens.
 * H3  read the leases of all pipelines, which name pods and their runs: the last ones are asked for in one request, whose
 *     subject names the stream only.
 * H4  make the stream of the leases or the reports with settings of its own, in the moment in which a server that has
 *     restarted has none.
 *
 * So these permissions hold a pod with a defect, or with credentials that somebody mislaid, within its pipeline. A hostile
 * pod is held by an account of its own only.
 */
import {
  commitsEdge,
  commitSubject,
  deadEdge,
  edgeStream,
  edgeSubjects,
  inboxOf,
  leaseStream,
  leaseSubjects,
  metaSubjects,
  onceSubject,
  planSubject,
  questionSubjects,
  reportStream,
  reportSubjects,
} from '../model/names.ts';
import type { Edge, Plan } from '../model/plan.ts';

/** Subjects, as a user of nats-server has them: what is not allowed is refused, and so is what is denied. */
export interface Permissions {
  readonly pub: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly sub: { readonly allow: readonly string[] };
}

/** What the pods of this plan need. Pure; the same for plans with the same edges and the same `deadLetters.whenFull`. */
export function permissionsOf({ pipeline: { pid }, edges, deadLetters }: Plan): Permissions {
  return {
    pub: {
      allow: [
        ...edges.flatMap((edge) => ofEdge(pid, edge)),
        ...ofCommits(pid),
        ...ofDeadLetters(pid, deadLetters.whenFull === 'DropOldest'),
        ...ofSharedStreams(pid),
      ],
      // The one message of the lifecycle whose subject looks like that of a commit.
      deny: [planSubject(pid)],
    },
    sub: { allow: [`${inboxOf(pid)}.>`, metaSubjects(pid), leaseSubjects(pid)] },
  };
}

/** Frames and notes, and their readers' consumers; writers sweep and make room. */
function ofEdge(pid: string, { name }: Edge): readonly string[] {
  const stream = edgeStream(pid, name);
  return [
    edgeSubjects(pid, name),
    onceSubject(pid, name, '*'),
    ...reading(stream),
    request('STREAM.PURGE', stream),
    request('STREAM.UPDATE', stream),
    // Without a name, which the server then gives: the filter is in the request.
    request('CONSUMER.CREATE', stream),
    request('CONSUMER.MSG.NEXT', `${stream}.*`),
  ];
}

/** Commits of any reader, because writers move those that have not begun (`./pass-over.ts`); questions, which they take back. */
function ofCommits(pid: string): readonly string[] {
  const stream = edgeStream(pid, commitsEdge);
  return [commitSubject(pid, '*', '*'), questionSubjects(pid), ...reading(stream), request('STREAM.PURGE', stream)];
}

function ofDeadLetters(pid: string, areDropped: boolean): readonly string[] {
  const stream = edgeStream(pid, deadEdge);
  return [
    edgeSubjects(pid, deadEdge),
    ...reading(stream),
    request('STREAM.UPDATE', stream),
    ...(areDropped ? [request('STREAM.PURGE', stream)] : []),
  ];
}

/** Leases are read, reports are only sent. */
function ofSharedStreams(pid: string): readonly string[] {
  return [
    leaseSubjects(pid),
    request('DIRECT.GET', leaseStream),
    request('STREAM.CREATE', leaseStream),
    reportSubjects(pid),
    request('STREAM.CREATE', reportStream),
  ];
}

function reading(stream: string): readonly string[] {
  return [request('STREAM.INFO', stream), request('STREAM.MSG.GET', stream), request('DIRECT.GET', stream)];
}

function request(what: string, of: string): string {
  return `$JS.API.${what}.${of}`;
}
