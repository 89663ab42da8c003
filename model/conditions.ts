/**
 * Every condition of a Pipeline: one row each, possible causes before what follows from them.
 *
 * C1  A condition has one writer. The writer's type names exactly its own conditions: a condition that is forgotten, or
 *     written by the other side, does not compile.
 * C2  Every claim comes from here: a reason of a row with its status and sentence ({@link claim}), or the reason and the
 *     sentence of an error or of the condition that is the cause ({@link claimBecause}).
 * C3  Whether a condition is healthy is decided here and nowhere else ({@link isWell}).
 * C4  The order of the rows is the order in which conditions are read everywhere: the first unhealthy one names the cause
 *     ({@link firstWrong}).
 * C5  Whether a condition is reported as an Event is decided here, too ({@link isOutage}): every reason that lasts and is
 *     not part of a change in progress.
 * C6  An outage is reported as over only when the condition is known to be healthy ({@link isKnownWell}). A pipeline
 *     without pods is healthy, but nobody knows whether its sink is.
 *
 * The CRD, the controller, the lifecycle's merge, `millrace describe` and docs/reference/conditions.md are built from
 * these rows. A new condition needs a new row, and a claim in its writer.
 */
import { fill, type TemplateParams } from './template.ts';

export type ConditionValue = 'True' | 'False' | 'Unknown';

/** Who writes a condition: `lifecycle` says what was done to the cluster, `controller` what the pods report. */
export type Writer = 'lifecycle' | 'controller';

interface Reason {
  readonly status: ConditionValue;
  readonly message: string;
  /** Nothing needs to be looked at, although the status is not the row's `healthy`. */
  readonly isWell?: boolean;
  /** C5. The reason of an error is always an outage and needs no mark. */
  readonly isOutage?: boolean;
  /** C6. Nothing observes whether it is healthy. */
  readonly isUnseen?: boolean;
}

interface ConditionRow {
  readonly writer: Writer;
  readonly healthy: ConditionValue;
  /** What it claims. */
  readonly says: string;
  /** Where to look when it is not healthy. */
  readonly otherwise: string;
  /** C5. What Events report: its outages and their ends; each operation; the dead letters of each code. */
  readonly events: 'outages' | 'operations' | 'deadLetters';
  /** Reasons that are not those of an error. `{name}` in a message is a parameter. */
  readonly reasons: Readonly<Record<string, Reason>>;
}

const yes = <const M extends string>(message: M) => ({ status: 'True', message }) as const;
const no = <const M extends string>(message: M) => ({ status: 'False', message }) as const;
const unknown = <const M extends string>(message: M) => ({ status: 'Unknown', message }) as const;
const fine = <const R extends Reason>(reason: R) => ({ ...reason, isWell: true }) as const;
const unseen = <const R extends Reason>(reason: R) => ({ ...fine(reason), isUnseen: true }) as const;
const outage = <const R extends Reason>(reason: R) => ({ ...reason, isOutage: true }) as const;

/** Reasons for pods whose reports are missing, in every condition that needs their reports. */
const silence = {
  Listening: unknown('No pod of {stage} has reported yet.'),
  NotReported: outage(unknown('No pod of {stage} has reported within the last 30 s.')),
  PodsGone: outage(unknown('{stage} has no pod: {why}.')),
  NotHeard: unknown('The controller gets no reports from the pods, because NATS at {server} does not answer it.'),
} as const;

const connection = {
  Connected: yes('{pods} connected.'),
  Connecting: unknown('Pod {pod} is connecting.'),
  Disconnected: outage(no('Pod {pod} is not connected.')),
  Pending: unknown('No stage has been deployed yet.'),
  Paused: unseen(unknown('The pipeline is paused: no pod is running.')),
  Stopped: unseen(unknown('The pipeline is stopped: no pod is running.')),
  NoPods: unseen(unknown('No pod of {stages} is running while the pipeline is being changed.')),
  ...silence,
} as const;

export const conditionTable = {
  Accepted: {
    writer: 'lifecycle',
    events: 'operations',
    healthy: 'True',
    says: 'The spec is valid.',
    otherwise: 'The spec is refused; the message names the field.',
    reasons: { Valid: yes('The spec is valid.') },
  },
  Stalled: {
    writer: 'lifecycle',
    events: 'operations',
    healthy: 'False',
    says: 'An operation has given up.',
    otherwise: 'The message says why. It is retried when the spec changes, or by `millrace retry`.',
    reasons: {
      Settled: no('Nothing is being changed.'),
      Progressing: no('The operation is making progress.'),
      Waiting: no('The operation is waiting, and continues by itself once it can: {why}'),
    },
  },
  Reconciling: {
    writer: 'lifecycle',
    events: 'operations',
    healthy: 'False',
    says: 'An operation is running.',
    otherwise: '`status.operation` has its step, its attempt and its last error.',
    reasons: {
      Settled: no('Nothing is being changed.'),
      Provisioning: yes('The pipeline is being set up.'),
      Reconfiguring: yes('The change is being carried out.'),
      Repairing: yes('What the pipeline is made of is being put right.'),
      Resuming: yes('The pipeline is being started again.'),
      Pausing: yes('All pods are being stopped.'),
      Stopping: yes('Sources are being stopped, and everything that was read is being written.'),
      Deleting: yes('The pipeline is being taken down.'),
    },
  },
  SinkConnected: {
    writer: 'controller',
    events: 'outages',
    healthy: 'True',
    says: 'The sink pods are connected to the sinks.',
    otherwise: 'Check address, credentials, table: the message contains the answer of the sink.',
    reasons: connection,
  },
  SourceConnected: {
    writer: 'controller',
    events: 'outages',
    healthy: 'True',
    says: 'The ingestors are connected to the sources.',
    otherwise: 'Check address, credentials, topic: the message contains the answer of the source.',
    reasons: connection,
  },
  Flowing: {
    writer: 'controller',
    events: 'outages',
    healthy: 'True',
    says: 'Records move from the sources to the sinks.',
    otherwise: 'The message says what the pipeline is waiting for.',
    reasons: {
      Flowing: yes('Records are moving.'),
      Idle: fine(no('There is nothing to read.')),
      Paused: unseen(no('The pipeline is paused: no record moves.')),
      Stopped: unseen(no('The pipeline is stopped: no record moves.')),
      Behind: fine(unknown('Records are waiting before {stage}, and none has moved yet.')),
      Quiet: fine(unknown('No record has moved lately, and {stage} cannot tell whether any are waiting.')),
      Waiting: outage(no('Pod {pod} is waiting for {what}.')),
      NoProgress: outage(no('Records are waiting before {stage}, and none has moved since {since}.')),
      SlotsFree: outage(unknown('No pod has owned some slots of {stage} since {since}.')),
      Starting: unknown('No pod has read anything yet.'),
      Connecting: unknown('Pod {pod} is connecting.'),
      NoPods: unseen(unknown('No pod is running while the pipeline is being changed.')),
      ...silence,
    },
  },
  DeadLettersEmpty: {
    writer: 'controller',
    events: 'deadLetters',
    healthy: 'True',
    says: 'No record had to be put aside.',
    otherwise: 'Records were refused; the message says how many.',
    reasons: {
      Empty: yes('No record had to be put aside.'),
      DeadLetters: no('{records} could not be processed and wait to be inspected: {codes}'),
      DeadLettersDropped: no(
        '{dropped} to make room for later ones (deadLetters.whenFull: DropOldest), and are lost; {records} wait to be inspected. All that were stored: {codes}',
      ),
    },
  },
  Provisioned: {
    writer: 'lifecycle',
    events: 'operations',
    healthy: 'True',
    says: 'Streams and workloads are as the spec requires.',
    otherwise: 'Streams or workloads are missing or not ready.',
    reasons: {
      Running: yes('Every stage has the pods that it should have.'),
      Changing: yes('Streams are as the spec requires, and which pods run is being changed.'),
      Paused: yes('No pod is running; streams and positions are kept.'),
      Stopped: yes('What was read for the sinks of the spec has been written, and no pod is running.'),
      Provisioning: no('The pipeline is being set up.'),
      Repairing: no('What the pipeline is made of is being put right; `status.operation` says what it is waiting for.'),
      Deleting: no('The pipeline is being taken down.'),
    },
  },
  Ready: {
    writer: 'controller',
    events: 'outages',
    healthy: 'True',
    says: 'The pipeline does what its spec asks for.',
    otherwise: 'The reason comes from the condition that explains it best.',
    reasons: {
      Running: yes('Every stage runs and is connected.'),
      Paused: yes('The pipeline is paused, as requested.'),
      Stopped: yes('The pipeline is stopped, as requested.'),
      Pending: no('Generation {generation} waits to be carried out.'),
      Deleting: no('The pipeline is being taken down.'),
    },
  },
} as const satisfies Record<string, ConditionRow>;

type Table = typeof conditionTable;

export type ConditionType = keyof Table;

/** The conditions of one writer. */
export type ConditionOf<W extends Writer> = {
  [T in ConditionType]: Table[T]['writer'] extends W ? T : never;
}[ConditionType];

export type ReasonOf<T extends ConditionType> = keyof Table[T]['reasons'] & string;

type MessageOf<T extends ConditionType, R extends ReasonOf<T>> = Table[T]['reasons'][R] extends {
  readonly message: infer M extends string;
}
  ? M
  : never;

/** No argument, where the sentence has no parameter. */
type ParamsOf<M extends string> = keyof TemplateParams<M> extends never ? [] : [params: TemplateParams<M>];

/** A condition as its writer states it: without generation and times. */
export interface Claim<T extends ConditionType = ConditionType> {
  readonly type: T;
  readonly status: ConditionValue;
  /** Why, as one word for programs. */
  readonly reason: string;
  /** Why, as a sentence for people. */
  readonly message: string;
}

export const conditionTypes = Object.keys(conditionTable).filter(isConditionType);

/** Types of one writer's conditions, in the order of the table. */
export function conditionsOf<W extends Writer>(writer: W): readonly ConditionOf<W>[] {
  const isOwn = (type: ConditionType): type is ConditionOf<W> => conditionTable[type].writer === writer;
  return conditionTypes.filter(isOwn);
}

/** The reasons of a row that are not those of an error. */
export function reasonsOf(type: ConditionType): Readonly<Record<string, Reason>> {
  return conditionTable[type].reasons;
}

/** C2: what the table says for this reason. */
export function claim<T extends ConditionType, R extends ReasonOf<T>>(
  type: T,
  reason: R,
  ...[params]: ParamsOf<MessageOf<T, R>>
): Claim<T> {
  const row = reasonsOf(type)[reason];
  if (row === undefined) throw new TypeError(`condition ${type} has no reason ${reason}`);
  return { type, status: row.status, reason, message: fill(row.message, params ?? {}) };
}

/** C2: what an error, or the condition that is the cause, says. */
export function claimBecause<T extends ConditionType>(
  type: T,
  status: ConditionValue,
  { reason, message }: { readonly reason: string; readonly message: string },
): Claim<T> {
  return { type, status, reason, message };
}

/** C3. A condition that only a later version knows is healthy when it is True. */
export function isWell({ type, status, reason }: { readonly type: string; status: ConditionValue; reason: string }) {
  if (!isConditionType(type)) return status === 'True';
  return status === conditionTable[type].healthy || reasonsOf(type)[reason]?.isWell === true;
}

/** C6. */
export function isKnownWell(condition: Parameters<typeof isWell>[0]): boolean {
  const { type, reason } = condition;
  return isWell(condition) && !(isConditionType(type) && reasonsOf(type)[reason]?.isUnseen === true);
}

/** C4. Sorts conditions into the order of the table. One that only a later version knows comes last. */
export function inOrder<C extends { readonly type: string }>(conditions: readonly C[]): C[] {
  const rank = ({ type }: C) => (isConditionType(type) ? conditionTypes.indexOf(type) : conditionTypes.length);
  return [...conditions].sort((a, b) => rank(a) - rank(b));
}

/** C4. The condition that names the cause, from conditions in any order; undefined when all are healthy. */
export function firstWrong<C extends Parameters<typeof isWell>[0]>(conditions: readonly C[]): C | undefined {
  return inOrder(conditions).find((condition) => !isWell(condition));
}

/** C5. Ready repeats the reasons of other rows; a reason that is in no row is that of an error; Unknown claims none. */
export function isOutage(condition: Parameters<typeof isWell>[0]): boolean {
  const { type, reason, status } = condition;
  if (isWell(condition) || !isConditionType(type) || conditionTable[type].events !== 'outages') return false;
  const own = reasonsOf(type)[reason];
  const known = own === undefined ? conditionTypes.flatMap((each) => reasonsOf(each)[reason] ?? []) : [own];
  if (known.length === 0) return status === 'False';
  return known.some((each) => each.isOutage === true);
}

function isConditionType(type: string): type is ConditionType {
  return Object.hasOwn(conditionTable, type);
}
