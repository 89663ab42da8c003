/**
 * Every error that Millrace can show a person: one row, one code.
 *
 * The same row gives the reason of a condition, the `type` of an API problem, the type of a Temporal failure and a
 * page in docs/reference/errors.md. A message says what must be, what is, and where; `fix` says what to do.
 * `{name}` in a text is a parameter; {@link mr} takes exactly the parameters that the row names.
 *
 * `handling` says who acts on it:
 * - `refuse`      the input is wrong; nothing is retried until the input changes
 * - `retry`       Millrace goes on trying by itself with capped backoff and shows a condition meanwhile
 * - `deadLetter`  one record is at fault; it becomes a dead letter and the rest goes on
 * - `fence`       the caller is no longer the owner and must stop
 */
import { fill, type TemplateParams } from './template.ts';

export const errorTable = {
  // -- spec and lint ---------------------------------------------------------------------------------------------
  MR_SPEC_INVALID: row('refuse', 422, '{path}: {problem}.', 'Correct the field and apply again.'),
  MR_SPEC_REFUSED: row(
    'refuse',
    422,
    'Pipeline "{name}" is refused for {errors}: {problem}',
    'Correct each and apply again.',
  ),
  MR_SPEC_UNKNOWN_FIELD: row('refuse', 422, '{path}: unknown field "{field}".', '{hint}'),
  MR_SPEC_ONE_CONNECTOR: row(
    'refuse',
    422,
    '{path} must name exactly one of {known}, but names {count} ({names}).',
    'Keep one.',
  ),
  MR_SPEC_EXPRESSION: row('refuse', 422, '{path}: expression does not compile: {problem}.', '{hint}'),

  // -- API and lifecycle -----------------------------------------------------------------------------------------
  MR_PIPELINE_NOT_FOUND: row(
    'refuse',
    404,
    'There is no pipeline "{name}" in namespace "{namespace}".',
    'List what exists with `millrace get -n {namespace}`.',
  ),
  MR_OPERATION_NOT_FOUND: row(
    'refuse',
    404,
    'Pipeline "{name}" in namespace "{namespace}" has no operation "{operation}".',
    'Take the id from the answer that announced it; Temporal forgets operations after its retention.',
  ),
  MR_PIPELINE_CONFLICT: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" was not changed: {problem}.',
    'Change the field where it is managed, or let its manager give it up.',
  ),
  MR_RETRY_REFUSED: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is not tried again: {problem}.',
    '`millrace describe {name} -n {namespace}` says what it does.',
  ),
  MR_SOURCE_TAKES_NO_RECORDS: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" has {problem}.',
    'Only a source with the connector http takes records here.',
  ),
  MR_SOURCE_NOT_READY: row(
    'retry',
    503,
    'Source "{source}" of pipeline "{name}" takes no records now: {problem}.',
    'Send the request again with the same Idempotency-Key; `millrace describe {name}` says why it waits.',
  ),
  MR_REQUEST_INVALID: row('refuse', 400, '{where}: {problem}.', 'Correct the request; /openapi.json describes it.'),
  MR_ENVIRONMENT_INVALID: row(
    'refuse',
    400,
    '{variable} cannot be used: {problem}.',
    'Correct the environment and start again.',
  ),
  MR_REQUEST_FOREIGN: row(
    'refuse',
    403,
    '{problem}.',
    'Ask by the address on which the server listens, from a program or from a page of its own. MILLRACE_API_HOSTS names further hosts of the API.',
  ),
  MR_API_TOKEN_REQUIRED: row(
    'refuse',
    401,
    'The API answers only to those who have its token, and the request has {what}.',
    'Send `Authorization: Bearer TOKEN`, or `Millrace-Token: TOKEN`. The token of `millrace dev` is in the file api-token of its data directory.',
  ),
  MR_ROUTE_NOT_FOUND: row('refuse', 404, 'There is no {method} {path}.', '/openapi.json lists what there is.'),
  MR_METHOD_NOT_ALLOWED: row(
    'refuse',
    405,
    '{path} does not take {method}, but {allowed}.',
    '/openapi.json lists what there is.',
  ),
  MR_MEDIA_TYPE: row(
    'refuse',
    415,
    'The body is {actual}, but must be one of {types}.',
    'Set Content-Type to what the body is; it may be sent with Content-Encoding gzip, deflate or zstd.',
  ),
  MR_BODY_TOO_LARGE: row(
    'refuse',
    413,
    'The body has more than {limit} bytes.',
    'Send less at once; a pipeline is much smaller than that.',
  ),
  MR_ERROR_CODE_UNKNOWN: row('refuse', 404, 'There is no error code "{code}".', '{hint}'),
  MR_NOT_ALLOWED: row(
    'refuse',
    403,
    'Kubernetes does not allow "{action}": {problem}.',
    'Ask for the right in Kubernetes RBAC, or use another kubeconfig context.',
  ),
  MR_KUBERNETES_UNAVAILABLE: row(
    'retry',
    503,
    'The Kubernetes API at {server} does not answer: {problem}.',
    'Check the kubeconfig and the API server; running pipelines go on moving records.',
  ),
  MR_WAIT_TIMEOUT: row(
    'refuse',
    504,
    'Pipeline "{name}" is not {wanted} after {timeout}: {state}.',
    'It goes on by itself; `millrace describe {name}` says what it waits for.',
  ),
  MR_INTERNAL: row('refuse', 500, 'Millrace failed: {problem}.', 'The log of the API has the request id.'),
  MR_ENGINE_UNAVAILABLE: row(
    'retry',
    503,
    'Temporal at {address} does not answer.',
    'Running pipelines go on moving records; changes wait until Temporal is back.',
  ),
  MR_KUBECONFIG_UNREADABLE: row(
    'retry',
    503,
    'The kubeconfig {file} cannot be used: {problem}.',
    'Correct the file, or name another one in KUBECONFIG or by --kubeconfig.',
  ),
  MR_KUBECONFIG_MISSING: row(
    'refuse',
    500,
    'A kubeconfig must say where Kubernetes is, but neither KUBECONFIG nor ~/.kube/config does.',
    'Set KUBECONFIG or pass --kubeconfig; `millrace dev status` prints the path of the local one.',
  ),
  MR_KUBERNETES_REFUSED: row(
    'refuse',
    422,
    'Kubernetes refused {object}: {problem}.',
    'Correct what the message names; the next generation is tried at once.',
  ),
  MR_KUBERNETES_FORBIDDEN: row(
    'retry',
    403,
    'Kubernetes does not allow {object}: {problem}.',
    'Give Millrace the right, or make room in the quota; it goes on by itself.',
  ),
  MR_OBJECT_FOREIGN: row(
    'retry',
    409,
    '{object} is in the way: it belongs to {owner}.',
    'It is neither changed nor deleted. Remove it, or give the pipeline another name; Millrace goes on by itself.',
  ),
  MR_OPERATION_FENCED: row(
    'fence',
    409,
    'Operation {seq} must not write {object}: operation {newer} has written it.',
    'Nothing to do: the newer operation goes on.',
  ),
  MR_GENERATION_SUPERSEDED: row(
    'fence',
    409,
    'Pipeline "{name}" in namespace "{namespace}" has moved on from generation {generation} to {newer}.',
    'Nothing to do: the newer generation is carried out.',
  ),
  MR_GENERATION_USED: row(
    'refuse',
    409,
    'Generation {generation} of pipeline "{name}" in namespace "{namespace}" cannot be carried out: its streams know up to generation {newest}, and another plan under that number.',
    'Kubernetes counts again, as after a restore of its store: edit the spec, however little, until `metadata.generation` is above {newest}. Until then the pods go on as they are.',
  ),
  MR_SOURCE_NOT_GONE: row(
    'refuse',
    409,
    'Source "{source}" cannot come back with connector {connector} and {slots} slots: what it was before, with connector {before} and {had} slots, has not left edge "{edge}" yet.',
    'Give the new source another name. Or take it out of the spec, let the pipeline run until it is Ready without it, and add it then.',
  ),
  MR_SOURCE_RETURNS_OTHER: row(
    'refuse',
    409,
    'Source "{source}" cannot come back with connector {connector} and {slots} slots: it left with connector {before} and {had} slots, and goes on from where it stood.',
    'Give it the connector and the number of slots that it had (`slots: {had}`), or another name; a source of another name begins where `startFrom` says.',
  ),
  MR_PIPELINE_STALLED: row(
    'refuse',
    422,
    'The pipeline does not get on ({reason}): {problem}',
    'Correct the spec and apply again.',
  ),
  MR_PIPELINE_NOT_DELETED: row(
    'fence',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is there and is not being deleted.',
    'Nothing to do: it is left as it is.',
  ),
  MR_PIPELINE_BEING_DELETED: row(
    'fence',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is being deleted.',
    'Nothing to do: nothing is made for it any more.',
  ),
  MR_PLAN_MISSING: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" has no plan in the cluster that could be applied again.',
    'Correct the spec: it is carried out as a whole then.',
  ),
  MR_STEP_WAITS: row(
    'retry',
    503,
    'The step "{step}" is not done yet: {progress}.',
    'Nothing to do: Millrace looks again by itself.',
  ),
  MR_OBJECT_VANISHED: row(
    'fence',
    409,
    '{object} is gone, although an earlier step has made it.',
    'Nothing to do: the operation begins its steps again.',
  ),
  MR_CLUSTER_FOREIGN: row(
    'retry',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is in another cluster ({wanted}) than this process ({found}).',
    'Give the lifecycle worker the kubeconfig of its own cluster; until then nothing is changed.',
  ),
  MR_DOOR_TAKEN: row(
    'retry',
    409,
    'Task queue "{queue}" is served by cluster {owner}, not by this one ({cluster}).',
    'Start workflows for this cluster on task queue "{own}". To hand "{queue}" over, cancel the workflow {workflow} and restart this worker.',
  ),
  MR_CLUSTER_UNKNOWN: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is not in this cluster ({found}), and it is not known where it was.',
    'Nothing is taken down; the controller of its cluster says where it is as soon as it sees the pipeline.',
  ),
  MR_PIPELINE_REPLACED: row(
    'fence',
    409,
    'Pipeline "{name}" in namespace "{namespace}" with uid {uid} is gone.',
    'Nothing to do: what belongs to it is taken down.',
  ),
  MR_NAMESPACE_BLOCKED: row(
    'retry',
    409,
    'Namespace "{namespace}" is being deleted but still there: {problem}.',
    'Remove what the message names, or its finalizer; Millrace goes on by itself.',
  ),
  MR_NOT_DRAINED: row(
    'retry',
    409,
    'The sinks have not yet written everything that was read: {behind}.',
    'Repair the sink, or set `deletionPolicy: Immediate` to give those records up.',
  ),
  MR_SECRET_MISSING: row(
    'retry',
    409,
    '{kind} "{name}" in namespace "{namespace}" must have key "{key}", but {problem}.',
    'Create it; Millrace goes on by itself.',
  ),
  MR_CREDENTIAL_UNUSABLE: row(
    'retry',
    409,
    '{credential}, used for {field}, {problem}.',
    'Correct the value; Millrace takes the new one by itself.',
  ),
  MR_WORKER_FAILED: row(
    'retry',
    500,
    'Slot {slot} of {stage} has failed: {problem}.',
    'Millrace begins again by itself; if it stays so, report it with the log of the pod.',
  ),
  MR_PODS_NOT_GONE: row(
    'retry',
    503,
    '{stage} still has {left} pods that should be gone: {why}.',
    'If its node is dead, it is free once the node is back or deleted (`kubectl delete node`), or the pod is forced away (`kubectl delete pod --force`).',
  ),
  MR_WORKLOAD_NOT_READY: row(
    'retry',
    503,
    '{stage} has {ready} of {wanted} pods ready: {why}.',
    'See `millrace logs` for the stage; Millrace goes on waiting.',
  ),

  // -- sources ---------------------------------------------------------------------------------------------------
  MR_SOURCE_UNREACHABLE: row(
    'retry',
    503,
    'Source "{source}" cannot reach {server}: {problem}.',
    'Check the address, DNS and network policy; Millrace retries by itself.',
  ),
  MR_SOURCE_AUTH_REJECTED: row(
    'retry',
    401,
    '{server} rejected {user} of source "{source}".',
    'Check {credentials} and the mechanism; Millrace retries by itself.',
  ),
  MR_SOURCE_TOPIC_MISSING: row(
    'retry',
    404,
    'Topic "{topic}" of source "{source}" does not exist at {server}.',
    'Create the topic or correct the name; Millrace retries by itself.',
  ),
  MR_SOURCE_POSITION_LOST: row(
    'retry',
    410,
    'Source "{source}" no longer has {position}: {problem}.',
    'It waits for you. `millrace decide {pipeline} {token} accept-loss` {acceptLoss}; `millrace decide {pipeline} {token} reread` {reread}. `onPositionLost` of the source decides beforehand.',
  ),

  MR_SOURCE_FORBIDDEN: row(
    'retry',
    403,
    'Source "{source}" may not do this at {server} as {user}: {problem}.',
    'Grant it (Kafka: Read and Describe on the topic); Millrace retries by itself.',
  ),
  MR_RECORDS_PATH: row(
    'refuse',
    404,
    'Records are taken by POST {path}, not by {method} {asked}.',
    'Correct the method and the path.',
  ),
  MR_RECORDS_UNAUTHORIZED: row(
    'refuse',
    401,
    'The request must carry the token of source "{source}".',
    'Send it as `Authorization: Bearer <token>`.',
  ),
  MR_RECORDS_MEDIA_TYPE: row(
    'refuse',
    415,
    'The body is {actual}, but must be application/json or application/x-ndjson.',
    'Set Content-Type to what the body is, and send it without Content-Encoding.',
  ),
  MR_RECORDS_TOO_LARGE: row(
    'refuse',
    413,
    'The body has more than {limit} bytes: {why}.',
    'Send fewer records at once.',
  ),
  MR_RECORDS_RECORD_TOO_LARGE: row(
    'refuse',
    413,
    'Record {index} of the request has {bytes} bytes, but {limit} can be stored at most. No record of it is taken.',
    'Make it smaller, or raise max_payload of NATS.',
  ),
  MR_RECORDS_INVALID: row(
    'refuse',
    400,
    'No record of the request is taken: {problem}.',
    'Correct it and send it again.',
  ),
  MR_RECORDS_TOO_SLOW: row(
    'retry',
    408,
    'Source "{source}" had not received the whole request after {seconds} s.',
    'Send it faster, or in smaller pieces.',
  ),
  MR_RECORDS_KEY_REUSED: row(
    'refuse',
    422,
    'Source "{source}" has stored another body under this Idempotency-Key; nothing of this request is taken.',
    'Send it with a key of its own.',
  ),
  MR_RECORDS_KEYS_FULL: row(
    'retry',
    429,
    'Source "{source}" takes no request with a new Idempotency-Key now: {most} keys are kept, as many as its buffer has KiB. Nothing of this one is stored.',
    'Send it again later, with the same key: keys go when their idempotencyWindow is over. A larger buffer.maxBytes keeps more of them, a shorter idempotencyWindow keeps them less long; requests without a key are taken all the same.',
  ),
  MR_RECORDS_BUSY: row(
    'retry',
    429,
    'Source "{source}" takes no records now: {why}.',
    'Send the same request again after the time in Retry-After.',
  ),
  MR_RECORDS_NO_SLOT: row(
    'retry',
    503,
    'Source "{source}" takes no records at this pod: {why}.',
    'Send the same request again after the time in Retry-After, with the same Idempotency-Key if it had one.',
  ),
  MR_SOURCE_UNREADABLE: row(
    'retry',
    500,
    'Source "{source}" holds something at {position} that does not decode: {problem}.',
    'Nothing after it in the same partition is read until it is gone; look at it with the tools of the source.',
  ),

  // -- streams ---------------------------------------------------------------------------------------------------
  MR_STREAM_UNAVAILABLE: row(
    'retry',
    503,
    'JetStream at {server} does not answer: {problem}.',
    'Check nats-server; Millrace retries by itself and loses nothing.',
  ),
  MR_NATS_TOO_OLD: row(
    'retry',
    503,
    'nats-server at {server} is too old: {needed} or later is needed.',
    'Upgrade nats-server; Millrace goes on by itself.',
  ),
  MR_STREAM_MISSING: row(
    'retry',
    404,
    'Stream {stream} of pipeline {pipeline} was made before any pod started, and {found}.',
    'Restore it, if you can. Else `millrace decide {pipeline} {token} reread` makes it again and reads all that is still there, which may write records twice; `accept-loss` in its place goes on with what comes next. What only this stream held is lost either way.',
  ),
  MR_STREAM_FOREIGN: row(
    'retry',
    409,
    'Stream "{stream}" of JetStream at {server} is not this pipeline\'s: {owner}.',
    'It is neither used nor deleted. Remove it, or give the pipeline another name; Millrace goes on by itself.',
  ),
  MR_EDGE_FULL: row(
    'retry',
    429,
    'Edge "{edge}" is full ({bytes} bytes).',
    'The stage that reads it is slower than its source, or stopped; the source waits and nothing is lost.',
  ),
  MR_DEAD_LETTERS_FULL: row(
    'retry',
    429,
    'The dead letters are full ({bytes} bytes).',
    'Raise deadLetters.maxBytes, or let the oldest go with `whenFull: DropOldest`; until then the pipeline waits.',
  ),
  MR_STORE_FULL: row(
    'retry',
    507,
    'JetStream at {server} has no room for stream "{stream}": {limit}.',
    'Raise max_file_store of NATS or the limits of the account, or lower buffer.maxBytes of other pipelines.',
  ),
  MR_FRAME_TOO_LARGE: row(
    'retry',
    413,
    'A message of {bytes} bytes for stream "{stream}" is above what NATS takes (max_payload {limit}).',
    'max_payload was lowered while it was made: it is made again in smaller pieces.',
  ),
  MR_OWNERSHIP_LOST: row(
    'fence',
    409,
    '{writer} is owned by another pod now (expected sequence {expected}).',
    'Nothing to do: the new owner goes on from the stored position.',
  ),
  MR_NOT_REGISTERED: row(
    'retry',
    409,
    '{who} is not registered with edge "{edge}".',
    'The lifecycle registers it before its pods start, and takes it off when it is removed; see the operation in Temporal.',
  ),
  MR_POSITION_LOST: row(
    'retry',
    409,
    '{who} stands at {position} of {stream}, but {found}.',
    'It waits for you. `millrace decide {pipeline} {token} accept-loss` {accepted}; `millrace decide {pipeline} {token} reread` {reread}.',
  ),
  MR_EDGE_LOST: row(
    'retry',
    409,
    'Stream {stream} was made at {created} and held what this pipeline had read, but {found}.',
    'Restore it, if you can. Else `millrace decide {pipeline} {token} accept-loss` goes on with what is there, or with an empty one: what it held is lost, sources without a position in it begin where `startFrom` says, and idempotency keys of HTTP requests are forgotten: a request of before that is repeated is stored once more.',
  ),
  MR_DECISION_REFUSED: row(
    'refuse',
    409,
    'Decision "{decision}" was not carried out: {problem}.',
    'Take the token from the message that asks for a decision (`millrace describe`): `millrace decide NAME TOKEN accept-loss` or `reread`.',
  ),
  MR_FRAME_PLAN_MISSING: row(
    'retry',
    409,
    'Frame {sequence} of {stream} was written under generation {plan}, whose plan is not stored.',
    'The frame waits until an operation of the lifecycle stores the plan; see the operation in Temporal.',
  ),
  MR_FRAME_CORRUPT: row(
    'refuse',
    500,
    'Frame {sequence} of {stream} does not decode: {problem}.',
    'The stream was written by something else or damaged; keep a copy and report it.',
  ),

  // -- records ---------------------------------------------------------------------------------------------------
  MR_RECORD_TOO_LARGE: row(
    'deadLetter',
    413,
    'The record has {bytes} bytes; the limit is {limit}.',
    'Raise max_payload of NATS, or make the record smaller.',
  ),
  MR_RECORD_NOT_JSON: row(
    'deadLetter',
    422,
    'The value must be a JSON object: {problem}.',
    'Correct the producer and replay.',
  ),
  MR_RECORD_MISFIT: row(
    'deadLetter',
    422,
    'Field "{field}" must be {wanted}, but is {actual}.',
    'Correct the producer or the schema and replay.',
  ),
  MR_RECORD_EXPRESSION: row(
    'deadLetter',
    422,
    'Step "{step}" failed on this record: {problem}.',
    'Guard the expression with has() or correct the producer, and replay.',
  ),
  MR_RECORD_REFUSED: row(
    'deadLetter',
    422,
    'Sink "{sink}" refused the record: {problem}.',
    'Correct the record or the table and replay.',
  ),

  MR_RECORD_DEFECT: row(
    'deadLetter',
    500,
    'Millrace failed on this record: {problem}.',
    'Neither the record nor the sink is at fault: report it, and replay with a later version.',
  ),

  // -- sinks -----------------------------------------------------------------------------------------------------
  MR_SINK_UNREACHABLE: row(
    'retry',
    503,
    'Sink "{sink}" cannot reach {server}: {problem}.',
    'Check the address, DNS and network policy; Millrace retries by itself.',
  ),
  MR_SINK_AUTH_REJECTED: row(
    'retry',
    401,
    '{server} rejected {user} of sink "{sink}".',
    'Check {credentials} and what the user may do; Millrace retries by itself.',
  ),
  MR_SINK_PRIVILEGE_MISSING: row(
    'retry',
    403,
    '{server} has let {user} of sink "{sink}" in, who may not write to {table}: {problem}.',
    '{grant}; Millrace retries by itself.',
  ),
  MR_SINK_SILENT: row(
    'retry',
    504,
    'Sink "{sink}" has not answered a write since {since}.',
    'Check that the server is alive and can be reached; Millrace waits for the answer, then retries by itself.',
  ),
  MR_SINK_TABLE_MISSING: row(
    'retry',
    404,
    'Table {table} of sink "{sink}" does not exist at {server}.',
    'Create it, or let Millrace do so with `createTable`; Millrace retries by itself.',
  ),
  MR_SINK_TABLE_UNFIT: row('retry', 409, 'Table {table} of sink "{sink}" does not fit: {problem}.', '{hint}'),
  MR_SINK_OUTCOME_UNKNOWN: row(
    'retry',
    409,
    'Whether frames {from} to {to} of sink "{sink}" ({rows} rows) are in {table} cannot be told any more: {problem}.',
    'Look for these rows there. Then set `onUncertain` of the sink to Skip if they are, or to Repeat if they are not, apply, and set it back to Stop. {hint}',
  ),
  MR_SINK_VIEW_FAILED: row(
    'retry',
    409,
    'Table {table} of sink "{sink}" may have taken a batch that a view of it then refused: {problem}.',
    'Correct the view or the table that it writes to; Millrace repeats the batch by itself, and what has it already drops it.',
  ),
  MR_SINK_ROWS_UNKNOWN: row(
    'retry',
    409,
    'Table {table} of sink "{sink}" refuses rows of a batch, and which ones cannot be found out: {problem}.',
    '{hint}',
  ),
  MR_SINK_POSITION_LOST: row(
    'retry',
    410,
    'Sink "{sink}" has stored slot {slot} up to frame {stored}, but the commit log says {committed}: {problem}.',
    'Restore what the sink has lost, or decide: `millrace decide {pipeline} {token} reread` goes on from where the sink is with the frames that are still there, `accept-loss` in its place goes on from the commit log without what is missing. `onPositionLost` of the sink decides beforehand.',
  ),
  MR_SINK_FAILED: row(
    'retry',
    502,
    'Sink "{sink}" at {server} fails in a way that Millrace does not know: {problem}.',
    'Millrace repeats the batch by itself, under the same token; if it stays, look for the cause at the server.',
  ),
  MR_SINK_BUSY: row(
    'retry',
    429,
    'Sink "{sink}" at {server} asks to wait: {problem}.',
    'Millrace slows down and retries by itself.',
  ),

  // -- local stack -----------------------------------------------------------------------------------------------
  MR_BINARY_MISSING: row('refuse', 500, '{binary} {version} is not here and could not be made: {problem}.', '{hint}'),
  MR_PORT_IN_USE: row(
    'refuse',
    409,
    'Port {port} for {part} is in use by {owner}.',
    'Stop it, or choose another with {flag}.',
  ),
  MR_STACK_RUNNING: row(
    'refuse',
    409,
    'The local stack in {dir} runs already, in process {pid}: {where}.',
    'See `millrace dev status`; stop it with `millrace dev down`.',
  ),
  MR_STACK_NOT_RUNNING: row(
    'refuse',
    404,
    'No local stack runs in {dir}.',
    'Start one with `millrace dev`, or name its directory with --data-dir.',
  ),
  MR_PART_FAILED: row('refuse', 500, '{part} did not become ready: {problem}.', 'Its log is {log}.'),
} as const satisfies Record<`MR_${string}`, ErrorRow>;

export type Handling = 'refuse' | 'retry' | 'deadLetter' | 'fence';

export interface ErrorRow {
  readonly handling: Handling;
  /** HTTP status of the API problem. */
  readonly http: number;
  readonly message: string;
  readonly fix: string;
}

export type ErrorCode = keyof typeof errorTable;

type Params<C extends ErrorCode> = TemplateParams<(typeof errorTable)[C]['message'] | (typeof errorTable)[C]['fix']>;

/** An error from the table. `message` begins with the code; `fix` is what a person should do. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: ErrorCode;
  readonly params: Readonly<Record<string, string | number>>;
  readonly fix: string;

  constructor(code: ErrorCode, params: Readonly<Record<string, string | number>>, options?: ErrorOptions) {
    super(`${code}: ${fill(errorTable[code].message, params)}`, options);
    this.code = code;
    this.params = params;
    this.fix = fill(errorTable[code].fix, params);
  }

  get handling(): Handling {
    return errorTable[this.code].handling;
  }

  get http(): number {
    return errorTable[this.code].http;
  }

  /** The reason of a condition: `MR_SINK_AUTH_REJECTED` → `SinkAuthRejected`. */
  get reason(): string {
    return reasonOf(this.code);
  }

  /** The sentence without its code, followed by what to do: what a condition's message shows. */
  get sentence(): string {
    return `${fill(errorTable[this.code].message, this.params)} ${this.fix}`.trim();
  }
}

/** Makes an error of the table. */
export function mr<C extends ErrorCode>(code: C, params: Params<C>, options?: ErrorOptions): MillraceError {
  return new MillraceError(code, params, options);
}

/** `MR_SINK_AUTH_REJECTED` → `SinkAuthRejected`. The code may be one that only another version knows. */
export function reasonOf(code: string): string {
  return code
    .replace(/^MR_/, '')
    .split('_')
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join('');
}

/** It goes on when a person has decided (`./decision.ts`). The code may be one that only another version knows. */
export function asksPerson(code: string | undefined): boolean {
  return code !== undefined && isErrorCode(code) && errorTable[code].fix.includes(' {token} ');
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

/** The text of any thrown thing, for a `problem` parameter. */
export function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Closes a switch over a union: the compiler refuses a forgotten member. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected value: ${JSON.stringify(value)}`);
}

function row<const M extends string, const F extends string>(handling: Handling, http: number, message: M, fix: F) {
  return { handling, http, message, fix } as const;
}
