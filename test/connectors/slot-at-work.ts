/** A sink's slot in the real loop, over real streams and the real system. */
import type { Sink } from '../../connectors/connector.ts';
import type { MillraceError } from '../../model/errors.ts';
import type { Plan } from '../../model/plan.ts';
import type { Streams } from '../../stream/connection.ts';
import { runSinkSlot } from '../../stream/sink-slot.ts';
import { jsonProgram, Witness } from '../stream/support/fakes.ts';
import { eagerClock, sinkOf } from '../stream/support/stages.ts';
import { killedAfterWrite } from './sink-context.ts';

/** `killed`: the pod ends when its first write has ended, before it could say so. */
export function sinkSlotAtWork(streams: Streams, plan: Plan, connect: () => Promise<Sink>, killed = false) {
  const stage = sinkOf(plan);
  const [stop, abort] = [new AbortController(), new AbortController()];
  const said: (MillraceError | undefined)[] = [];
  const witness = new Witness();
  witness.connection = (error) => said.push(error);
  let connected: Sink | undefined;
  const done = runSinkSlot({
    streams,
    plan,
    stage,
    slot: 0,
    programOf: () => jsonProgram,
    openSlot: async () => {
      connected = await connect();
      const slot = await connected.open({ pipelineUid: plan.pipeline.uid, stage: stage.name, slot: 0 });
      return killed ? killedAfterWrite(slot, () => abort.abort(new Error('killed'))) : slot;
    },
    onLoop: () => undefined,
    clock: eagerClock,
    random: () => 0.5,
    observer: witness,
    signals: { stop: AbortSignal.any([stop.signal, abort.signal]), abort: abort.signal },
  }).catch(() => 'stopped');
  return {
    /** What the slot said of its connection. */
    said,
    waits: witness.waits,
    done,
    async stop() {
      stop.abort(new Error('the pod stops'));
      await done;
      await connected?.close();
    },
  };
}
