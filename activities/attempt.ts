/**
 * Requests of an activity belong to its attempt.
 *
 * A1  Every request carries the attempt's cancellation: it ends when the attempt is cancelled or times out.
 * A2  The attempt of a process that was frozen (SIGSTOP, a paused virtual machine) may have timed out meanwhile, and
 *     another attempt may have done the work. Its heartbeat shows that: after a gap in the heartbeat nothing is sent
 *     any more.
 */
import { Context } from '@temporalio/activity';
import { createKube, type Kube } from '../kubernetes/kube.ts';
import type { KubeRequest } from '../kubernetes/transport.ts';
import type { JetStreamPort } from '../stream/jetstream-port.ts';
import { sinceLastBeatMs } from './beat.ts';

/** Half of the heartbeat timeout (`workflows/activities.ts`): a heartbeat this late has been missed several times. */
const maxSilenceMs = 5_000;

/** The same API, for use inside activities. */
export function boundToAttempt({ transport }: Kube): Kube {
  return createKube({
    ...transport,
    send: (request) => transport.send(bound(request)),
    open: (request) => transport.open(bound(request)),
  });
}

/** Throws when the current attempt may have timed out. Called before each write to anything but Kubernetes. */
function assertCurrent(context: Context = Context.current()): void {
  context.cancellationSignal.throwIfAborted();
  const silenceMs = sinceLastBeatMs(context);
  if (silenceMs > maxSilenceMs)
    throw new Error(`the process stood still for ${silenceMs} ms: this attempt is given up`);
}

function bound(request: KubeRequest): KubeRequest {
  // Checked now, not when the bytes are sent: a reused socket runs in the context of the code that opened it.
  const context = Context.current();
  const { cancellationSignal } = context;
  const signal =
    request.signal === undefined ? cancellationSignal : AbortSignal.any([request.signal, cancellationSignal]);
  return { ...request, signal, mayLeave: () => assertCurrent(context) };
}

/** The same JetStream: calls that change something check first, too. */
export function streamsOfAttempt(streams: JetStreamPort): JetStreamPort {
  const context = Context.current();
  const current = (): JetStreamPort => {
    assertCurrent(context);
    return streams;
  };
  return {
    server: streams.server,
    maxPayload: streams.maxPayload,
    link: streams.link,
    publish: async (...args) => current().publish(...args),
    getMessage: (...args) => streams.getMessage(...args),
    directGet: (...args) => streams.directGet(...args),
    lastOfEach: (...args) => streams.lastOfEach(...args),
    streamInfo: (...args) => streams.streamInfo(...args),
    subjectsOf: (...args) => streams.subjectsOf(...args),
    addStream: async (...args) => current().addStream(...args),
    updateStream: async (...args) => current().updateStream(...args),
    deleteStream: async (...args) => current().deleteStream(...args),
    streamNames: (...args) => streams.streamNames(...args),
    purgeStream: async (...args) => current().purgeStream(...args),
    addConsumer: async (...args) => current().addConsumer(...args),
    deleteConsumer: async (...args) => current().deleteConsumer(...args),
    openPull: (...args) => streams.openPull(...args),
    subscribe: (...args) => streams.subscribe(...args),
  };
}
