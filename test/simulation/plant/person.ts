/**
 * The person whom Millrace asks: looks at what slots say of themselves, waits a while, and decides. What was there then
 * is settled by the decision; the checks go on to hold for everything that comes later, and for what nobody was asked.
 */
import { mr, problemOf, type MillraceError } from '../../../model/errors.ts';
import { decisionChoices, parseDecision } from '../../../model/decision.ts';
import { carryOut } from '../../../stream/carry-out.ts';
import { PositionedTable } from '../outside/postgres.ts';
import { BlockTable } from '../outside/clickhouse.ts';
import type { Plant } from './plant.ts';

const looksEveryMs = 1_000;
/** Long enough for requests that are on their way to have arrived: a person looks at a table that stands still. */
const hushMs = 30_000;

const questions: ReadonlySet<string> = new Set([
  'MR_POSITION_LOST',
  'MR_EDGE_LOST',
  'MR_SINK_POSITION_LOST',
  'MR_SINK_OUTCOME_UNKNOWN',
  'MR_SOURCE_POSITION_LOST',
]);

/** Errors that wait for a person. */
export function isQuestion(code: string): boolean {
  return questions.has(code);
}

export function watchOver(plant: Plant): void {
  const { world } = plant;
  const random = world.random.fork('person');
  const asked = new Set<string>();
  const once = (question: string, error: MillraceError, afterMs: number, answer: () => void) => {
    if (asked.has(question)) return;
    asked.add(question);
    plant.say(`ASKED ${error.sentence}`);
    world.after(afterMs, () => {
      if (plant.hasDeparted) return;
      plant.say(`PERSON ${question}`);
      answer();
    });
  };

  /** What was decided stays so, also when the tool is killed over it and the person calls it again. */
  const choices = new Map<string, string>();
  const decide = async (token: string, again: (why: unknown) => void): Promise<void> => {
    const { machine, port } = plant.lifecycle.person();
    machine.onDeath(() => again('the tool was killed'));
    const choice = choices.get(token) ?? random.pick(decisionChoices);
    choices.set(token, choice);
    const decision = parseDecision(`${token}=${choice}`);
    if (decision === undefined) throw new TypeError(`no token: ${token}`);
    const { lifecycle, ledger, cluster } = plant;
    const { scope } = decision;
    const stage = scope.startsWith('sink-') || scope.startsWith('ingestor-') ? scope : undefined;
    const table = plant.tables.get(scope.replace('sink-', ''));
    if (stage === undefined) {
      ledger.decided();
      for (const one of plant.tables.values()) if (one instanceof PositionedTable) one.forgetPlaces(plant.uid);
    }
    if (table instanceof PositionedTable) table.decide(plant.uid);
    if (stage !== undefined) plant.decidedStages.add(stage);
    const { opSeq, known } = lifecycle;
    const act = { streams: port, opSeq, clock: machine.clock, replicas: plant.scenario.copies, cluster: 'sim', known };
    const remembered = {
      earlier: [...plant.plans.values()],
      isLive: (name: string) => cluster.stages.includes(name),
    };
    lifecycle.known = await carryOut(
      { ...act, ...remembered },
      plant.plans.get(lifecycle.resource.generation)!,
      decision,
    );
  };

  const isAsked = (hint: string): boolean =>
    plant.cluster.processes.some((pod) =>
      [...pod.slots.values()].some(({ observer }) => observer.reasons.some(({ params }) => params['hint'] === hint)),
    );

  const answer = (error: MillraceError, sink: string | undefined): void => {
    const falseAlarm = plant.losses.falseAlarm(error);
    if (falseAlarm !== undefined) world.fail(falseAlarm);
    const table = sink === undefined ? undefined : plant.tables.get(sink);
    const { token, hint, slot } = error.params;
    if (error.code === 'MR_SINK_POSITION_LOST' && table instanceof PositionedTable && typeof slot === 'number')
      table.noticed(plant.placeOf(`sink-${sink}`, slot));
    if (typeof token === 'string') {
      // Not carried out, or another came first: asked again at the next look.
      const again = (why: unknown) => {
        asked.delete(token);
        plant.say(`PERSON about ${token}: ${problemOf(why)}`);
      };
      once(token, error, random.between(1_000, 8_000), () => void decide(token, again).catch(again));
    } else if (error.code === 'MR_SINK_OUTCOME_UNKNOWN' && table instanceof BlockTable && typeof hint === 'string') {
      once(hint, error, hushMs, () => {
        // What was decided about the edge meanwhile has begun other batches with these records (seed power:698).
        if (isAsked(hint)) table.decide(hint);
        else asked.delete(hint);
      });
    }
  };

  /** What cannot come back as another comes back as it was. */
  const asItWas = ({ params: { source, had } }: MillraceError): void => {
    if (typeof had !== 'number') return;
    plant.lifecycle.edit((now) => ({
      ...now,
      sources: now.sources.map((one) =>
        one.name === source ? { ...one, slots: had, replicas: Math.min(one.replicas, had) } : one,
      ),
    }));
  };

  /**
   * The status says who has what left, and to say Immediate if that cannot be. A sink that was added and taken off at once never
   * had a pod; frames that somebody deleted may have been for it (N6 of `stream/untaken.ts`). Seed 14001082.
   */
  const giveUpFor = (stage: string): void => {
    if (!plant.losses.hasHappened('edge')) return;
    once(`Immediate for ${stage}`, mr('MR_NOT_DRAINED', { behind: stage, because: '', hint: '' }), hushMs, () => {
      if (plant.lifecycle.waitsForNobody !== stage) return;
      plant.lifecycle.edit((now) => ({ ...now, deletionPolicy: 'Immediate' }));
    });
  };

  const look = (): void => {
    // Ready says Deleting, whatever a process that nobody knows of says when it finds the streams gone.
    if (plant.hasDeparted) return;
    const { refused, resource } = plant.lifecycle;
    if (refused?.code === 'MR_SOURCE_NOT_GONE' || refused?.code === 'MR_SOURCE_RETURNS_OTHER')
      once(`the sources of g${resource.generation}`, refused, random.between(1_000, 8_000), () => asItWas(refused));
    const { waitsForNobody } = plant.lifecycle;
    if (waitsForNobody !== undefined) giveUpFor(waitsForNobody);
    for (const pod of plant.cluster.processes) {
      const sink = pod.stage.kind === 'sink' ? pod.stage.sink : undefined;
      for (const { observer } of pod.slots.values()) for (const error of observer.reasons) answer(error, sink);
    }
    world.after(looksEveryMs, look);
  };
  look();
}
