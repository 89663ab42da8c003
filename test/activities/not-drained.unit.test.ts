import assert from 'node:assert/strict';
import { notDrained } from '../../activities/streams/not-drained.ts';
import { apiVersion, kind } from '../../model/names.ts';
import { operationTable, type OperationKind } from '../../model/operations.ts';
import { OddServer } from './odd-server.ts';

const pipeline = { namespace: 'shop', name: 'orders', uid: 'u-1', cluster: 'c-1' };
const behind = 'sink-warehouse slot 0 is 12 frames behind';
const kinds = Object.keys(operationTable).filter((each): each is OperationKind => each in operationTable);
const at = { lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1 };

describe('MR_NOT_DRAINED', () => {
  let server: OddServer;
  before(async () => (server = await OddServer.start()));
  after(() => server.stop());

  const said = async (during: OperationKind, conditions: readonly object[] = []) => {
    const { namespace, name, uid, cluster } = pipeline;
    server.put('Namespace', { name: 'kube-system', uid: cluster });
    server.put(kind, { namespace, name, uid }, { apiVersion, spec: {}, status: { conditions } });
    return (await notDrained(server.kube, { pipeline, kind: during }, behind)).sentence;
  };

  const changed = { says: /back into the spec.*apply it with `deletionPolicy: Immediate`/, never: /millrace pause/ };
  const halted = {
    says: /`millrace pause orders -n shop`.*`millrace resume orders -n shop`.*a spec without that sink .* `deletionPolicy: Immediate`/,
    never: /kubectl patch|discard/,
  };

  /** ND2: the command that ends the wait, and what would not end it. */
  const advice: Readonly<Record<OperationKind, { readonly says: RegExp; readonly never: RegExp }>> = {
    provision: changed,
    reconfigure: changed,
    repair: changed,
    resume: changed,
    pause: halted,
    stop: halted,
    teardown: {
      says: /`kubectl patch pipeline orders -n shop --type merge -p '\{"spec":\{"deletionPolicy":"Immediate"\}\}'`/,
      never: /millrace (pause|resume)/,
    },
  };

  for (const each of kinds)
    it(`ND2: during ${each} names what ends that wait`, async () => {
      const sentence = await said(each);
      assert.match(sentence, advice[each].says);
      assert.doesNotMatch(sentence, advice[each].never);
    });

  it('ND1: says what the pods say of the sink', async () => {
    const message = 'Sink "warehouse" cannot reach ch:8123: ECONNREFUSED. Check the address.';
    const sentence = await said('stop', [
      { ...at, type: 'Flowing', status: 'False', reason: 'NoProgress', message: 'Records are waiting.' },
      { ...at, type: 'SinkConnected', status: 'False', reason: 'SinkUnreachable', message },
    ]);
    assert.match(sentence, /12 frames behind, because of SinkUnreachable \(Sink "warehouse" cannot reach ch:8123/);
    assert.match(sentence, /Check the address\)\. If a sink fails/);
  });

  for (const condition of [
    { type: 'SinkConnected', status: 'True', reason: 'Connected', message: '1 pod is connected.' },
    { type: 'SinkConnected', status: 'Unknown', reason: 'Connecting', message: 'Pod a is connecting.' },
    { type: 'SourceConnected', status: 'False', reason: 'Disconnected', message: 'Pod b is not connected.' },
    { type: 'Ready', status: 'False', reason: 'NotDrained', message: 'What this very step has said.' },
  ])
    it(`ND1: ${condition.type} ${condition.reason} is no cause`, async () => {
      assert.match(await said('stop', [{ ...at, ...condition }]), /12 frames behind\. If a sink fails/);
    });
});
