import assert from 'node:assert/strict';
import type { StreamInfo } from '@nats-io/jetstream';
import { labels } from '../../model/names.ts';
import type { JetStreamPort } from '../../stream/jetstream-port.ts';

interface Owner {
  readonly pid: string;
  readonly uid: string;
}

/** One stream exists; whatever would change anything is recorded. */
export function recordingStreams({ pid, uid }: Owner, changes: string[]): JetStreamPort {
  const own = {
    config: { name: `mr-${pid}-main`, subjects: [`mr.${pid}.main.>`], metadata: { [labels.pipelineUid]: uid } },
  } as unknown as StreamInfo;
  const refuse = (): never => assert.fail('not expected');
  return {
    server: 'nats',
    maxPayload: undefined,
    link: { connected: true, onReconnect: () => () => undefined },
    publish: refuse,
    getMessage: () => Promise.resolve(null),
    directGet: () => Promise.resolve(null),
    lastOfEach: () => Promise.resolve([]),
    subjectsOf: () => Promise.resolve([]),
    streamInfo: () => Promise.resolve(own),
    addStream: () => Promise.resolve(),
    updateStream: () => Promise.resolve(),
    deleteStream: (stream) => Promise.resolve(void changes.push(`deleteStream ${stream}`)),
    streamNames: () => Promise.resolve([own.config.name]),
    purgeStream: (stream) => Promise.resolve(void changes.push(`purgeStream ${stream}`)),
    addConsumer: refuse,
    deleteConsumer: refuse,
    openPull: refuse,
    subscribe: refuse,
  };
}
