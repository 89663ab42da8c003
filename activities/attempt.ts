/**
 * What an activity sends belongs to its attempt.
 *
 * A1  Every request carries the attempt's cancellation: it ends when the attempt is cancelled, or given up by a time-out.
 * A2  A process that stood still (SIGSTOP, a paused virtual machine) may have been given up meanwhile, and another attempt
 *     may have done the work. Its beat shows it: after a pause of the beat nothing is sent any more.
 */
import { Context } from '@temporalio/activity';
import { createKube, type Kube } from '../kubernetes/kube.ts';
import type { KubeRequest } from '../kubernetes/transport.ts';
import type { JetStreamPort } from '../stream/jetstream-port.ts';
import { sinceLastBeatMs } from './beat.ts';

/** Half of the heartbeat time-out (`workflows/activities.ts`): a beat that is this late is late by many. */
const maxSilenceMs = 5_000;

/** The same API, for use inside of activities. */
export function boundToAttempt({ transport }: Kube): Kube {
  return createKube({
    ...transport,
    send: (request) => transport.send(bound(request)),
    open: (request) => transport.open(bound(request)),
  });
}

/** Throws when the current attempt may have been given up. Before each write to what is not Kubernetes. */
function assertCurrent(context: Context = Context.current()): void {
  context.cancellationSignal.throwIfAborted();
  const silenceMs = sinceLastBeatMs(context);
  if (silenceMs > maxSilenceMs)
    throw new Error(`the process stood still for ${silenceMs} ms: this attempt is given up`);
}

function bound(request: KubeRequest): KubeRequest {
  // Now, and not when the bytes leave: a socket that is used again runs in the context of who opened it.
  const context = Context.current();
  const { cancellationSignal } = context;
  const signal =
    request.signal === undefined ? cancellationSignal : AbortSignal.any([request.signal, cancellationSignal]);
  return { ...request, signal, mayLeave: () => assertCurrent(context) };
}

/** The same JetStream: what changes something there asks first, too. */
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
