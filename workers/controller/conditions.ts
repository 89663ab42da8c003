/**
 * What the pods report and what the lifecycle has done, folded into the conditions of the controller. Pure.
 *
 * F3  Ready is True only when no operation runs, every stage that should run has a ready pod and reports a connection,
 *     all conditions of the data path are well, and the streams exist; a pipeline that is paused as requested is also
 *     ready.
 * F4  When Ready is not True it repeats the reason of the condition that is the cause: the first of the table that is
 *     not as it should be.
 * F5  Until this controller has listened for long enough, the previous claims stay.
 * F7  Of several broken connections, the one that needs a person is reported.
 * F8  When NATS does not answer the controller, that is the reason of Ready, with its address: silence and unready pods
 *     are consequences.
 * I14 Something that waits without moving for longer than `stuckMs` is never Ready (`./flowing.ts`).
 *
 * F1, F2: `./stage-fact.ts`.
 */
import { notReady } from '../../activities/kubernetes/pods.ts';
import { claim, claimBecause, conditionsOf, firstWrong, type Claim, type ConditionOf } from '../../model/conditions.ts';
import { asksPerson, mr, reasonOf, type MillraceError } from '../../model/errors.ts';
import type { Condition, PipelineStatus } from '../../model/status.ts';
import { cutInside } from '../../model/text.ts';
import type { DeadLetterCount } from '../../stream/dead-letter-count.ts';
import { flowing } from './flowing.ts';
import type { Hearing } from './hearing.ts';
import type { Untold } from './pipeline-record.ts';
import { silenceOf, speaking, whyGone, spokesmen, type StageFact } from './stage-fact.ts';

/** One claim for each condition of the controller; a new row of the table does not compile without one. */
type Claims = { readonly [T in ConditionOf<'controller'>]: Claim<T> };

export interface ConditionsInput {
  readonly now: number;
  readonly generation: number;
  readonly deleting: boolean;
  readonly status: PipelineStatus;
  readonly hearing: Hearing;
  /** NATS as the controller reaches it. */
  readonly nats: string;
  /** The controller has lost its connection to NATS. */
  readonly isCutOff: boolean;
  /** The stages in the status, as they are now. */
  readonly stages: readonly StageFact[];
  readonly deadLetters: DeadLetterCount;
  /** A stream of the pipeline is missing. Pods report that as well, if any run. */
  readonly lost: MillraceError | undefined;
  /** Why the entity cannot be notified; undefined: it can. */
  readonly untold: Untold | undefined;
}

export function claimsOf(input: ConditionsInput): readonly Claim[] {
  const SourceConnected = { ...standing(input, connected(input, 'ingestor')), type: 'SourceConnected' } as const;
  const SinkConnected = { ...standing(input, connected(input, 'sink')), type: 'SinkConnected' } as const;
  const Flowing = standing(input, standsStill(input.status) ?? flowing(input));
  const claims: Claims = {
    Ready: ready(input, [SourceConnected, SinkConnected, Flowing]),
    SourceConnected,
    SinkConnected,
    Flowing,
    DeadLettersEmpty: deadLettersEmpty(input.deadLetters),
  };
  return conditionsOf('controller').map((type) => claims[type]);
}

function ready(input: ConditionsInput, dataPath: readonly Claim[]): Claim<'Ready'> {
  const { status, generation, deleting, untold, lost } = input;
  const not = (reason: string, message: string) => claimBecause('Ready', 'False', { reason, message });
  const reconciling = conditionOf(status, 'Reconciling');
  const isChanging = reconciling?.status === 'True';
  if (untold !== undefined) return not(untold.reason, untold.message);
  if (deleting) {
    const deletion = claim('Ready', 'Deleting');
    return isChanging ? { ...deletion, message: reconciling.message } : deletion;
  }
  // A running operation waits for the person as well.
  if (lost !== undefined) return not(lost.reason, lost.sentence);
  if (isChanging) return not(reconciling.reason, reconciling.message);
  const pending = claim('Ready', 'Pending', { generation });
  if (status.observedGeneration === undefined) return { ...pending, status: 'Unknown' };
  if (status.observedGeneration < generation) return pending;
  const done = (['Accepted', 'Stalled', 'Provisioned'] as const).map((type) => conditionOf(status, type));
  if (!done.every((condition) => condition !== undefined)) return pending;
  const undone = firstWrong(done);
  if (undone !== undefined) return not(undone.reason, undone.message);
  const still = stillPhase(status);
  if (still !== undefined) return claim('Ready', still);
  const dead = input.stages.find(({ wanted, ready: count }) => wanted > 0 && count === 0);
  // F8. Without NATS no pod becomes ready: NATS is the cause, and the state of the pods adds nothing.
  if (input.hearing === 'deaf' || (input.isCutOff && dead !== undefined)) {
    const error = mr('MR_STREAM_UNAVAILABLE', {
      server: input.nats,
      problem: 'the controller has no connection to NATS',
    });
    const { reason, sentence: message } = error;
    return claimBecause('Ready', dead === undefined ? 'Unknown' : 'False', { reason, message });
  }
  if (dead !== undefined) {
    // The operation that created it waited until its pods were ready.
    const trouble = dead.trouble ?? { why: 'its pods are not ready any more' };
    const error = notReady({ stage: dead.name, ready: 0, wanted: dead.wanted }, trouble);
    return not(error.reason, error.sentence);
  }
  const trouble = firstWrong(dataPath);
  if (trouble === undefined) return claim('Ready', 'Running');
  // Where nothing is known, nothing is known to be wrong.
  return claimBecause('Ready', trouble.reason === 'Listening' ? 'Unknown' : 'False', trouble);
}

/** For SourceConnected and SinkConnected. */
function connected(input: ConditionsInput, kind: StageFact['kind']): Claim<'SourceConnected' | 'SinkConnected'> {
  const type: 'SourceConnected' | 'SinkConnected' = kind === 'ingestor' ? 'SourceConnected' : 'SinkConnected';
  const still = stillPhase(input.status);
  if (still !== undefined) return claim(type, still);
  const stages = input.stages.filter((stage) => stage.kind === kind);
  if (stages.length === 0) return claim(type, 'Pending');
  const expected = speaking(stages);
  if (expected.length === 0) return claim(type, 'NoPods', { stages: stages.map(({ name }) => name).join(', ') });
  if (input.hearing === 'deaf') return claim(type, 'NotHeard', { server: input.nats });
  const reports = expected.flatMap(({ heard }) => spokesmen(heard)).map(({ report }) => report);
  const away = reports.filter(({ connection }) => connection.state === 'Disconnected');
  const broken = away.find(({ connection }) => asksPerson(connection.code)) ?? away[0];
  if (broken !== undefined) {
    const { code, message } = broken.connection;
    const base = claim(type, 'Disconnected', { pod: broken.pod });
    return { ...base, reason: code === undefined ? base.reason : reasonOf(code), message: message ?? base.message };
  }
  for (const stage of expected) {
    const silence = silenceOf(stage, input.hearing, input.now);
    if (silence === 'PodsGone') return claim(type, silence, { stage: stage.name, why: whyGone(stage) });
    if (silence !== undefined) return claim(type, silence, { stage: stage.name });
  }
  const connecting = reports.find(({ connection }) => connection.state === 'Connecting');
  if (connecting !== undefined) return claim(type, 'Connecting', { pod: connecting.pod });
  return claim(type, 'Connected', { pods: reports.length === 1 ? '1 pod is' : `${reports.length} pods are` });
}

/** F5. A claim from when the pipeline was paused, stopped or not deployed says nothing about one that runs. */
function standing<T extends ConditionOf<'controller'>>({ status }: ConditionsInput, said: Claim<T>): Claim<T> {
  if (said.reason !== 'Listening') return said;
  const before = conditionOf(status, said.type);
  const isOld = before === undefined || ['Paused', 'Stopped', 'Pending', 'Starting', 'NoPods'].includes(before.reason);
  return isOld ? said : claimBecause(said.type, before.status, before);
}

const shownCodes = 3;
const shownSample = 200;

function deadLettersEmpty({ records, dropped, byCode }: DeadLetterCount): Claim<'DeadLettersEmpty'> {
  if (records + dropped === 0) return claim('DeadLettersEmpty', 'Empty');
  const codes = byCode
    .slice(0, shownCodes)
    .map(({ code, records: some, sample }) => `${some} ${code} (${cutInside(sample, shownSample)})`);
  const more = byCode.length > shownCodes ? [`and ${byCode.length - shownCodes} more codes`] : [];
  const said = {
    records: records === 1 ? '1 record' : `${records} records`,
    codes: codes.length === 0 ? 'stored by an earlier version.' : `${[...codes, ...more].join('; ')}.`,
  };
  if (dropped === 0) return claim('DeadLettersEmpty', 'DeadLetters', said);
  const gone = dropped === 1 ? '1 dead letter was dropped' : `${dropped} dead letters were dropped`;
  return claim('DeadLettersEmpty', 'DeadLettersDropped', { ...said, dropped: gone });
}

function stillPhase({ phase }: PipelineStatus): 'Paused' | 'Stopped' | undefined {
  return phase === 'Paused' || phase === 'Stopped' ? phase : undefined;
}

function standsStill(status: PipelineStatus): Claim<'Flowing'> | undefined {
  const still = stillPhase(status);
  return still === undefined ? undefined : claim('Flowing', still);
}

function conditionOf(status: PipelineStatus, type: string): Condition | undefined {
  return status.conditions?.find((condition) => condition.type === type);
}
