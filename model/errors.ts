/**
 * Every error that Millrace can show a person: one row, one code.
 *
 * The same row gives the reason of a condition, the `type` of an API problem, the type of a Temporal failure and a
 * page in docs/reference/errors.md. A message says what must be, what is, and where; `fix` says what to do.
 * `{name}` in a text is a parameter; {@link mr} takes exactly the parameters that the row names.
 *
 * `handling` says who acts on it:
 * - `refuse`      the input is wrong; nothing is retried until the input changes
 * - `retry`       Millrace keeps retrying by itself with capped backoff and shows a condition meanwhile
 * - `deadLetter`  one record is at fault; it becomes a dead letter and the others continue
 * - `fence`       the caller is no longer the owner and must stop
 */
import { schemaProblem } from './schema-problem.ts';
import { shortened } from './text.ts';
import { fill, type TemplateParams } from './template.ts';

export const errorTable = {
  // -- spec and lint ---------------------------------------------------------------------------------------------
  MR_SPEC_INVALID: row('refuse', 422, '{path}: {problem}.', 'Correct the field and apply again.'),
  MR_SPEC_REFUSED: row(
    'refuse',
    422,
    'Pipeline "{name}" is refused because of {errors}: {problem}',
    'Correct each of them and apply again.',
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
    'List the existing pipelines with `millrace get -n {namespace}`.',
  ),
  MR_OPERATION_NOT_FOUND: row(
    'refuse',
    404,
    'Pipeline "{name}" in namespace "{namespace}" has no operation "{operation}".',
    'Use the id from the response that started the operation; Temporal forgets operations after its retention period.',
  ),
  MR_PIPELINE_CONFLICT: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" was not changed: {problem}.',
    'Change the field where it is managed, or take it over with `millrace apply --force-conflicts` (REST: `force=true`).',
  ),
  MR_RETRY_REFUSED: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is not retried: {problem}.',
    '`millrace describe {name} -n {namespace}` says what it is doing.',
  ),
  MR_SOURCE_TAKES_NO_RECORDS: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" has {problem}.',
    'Only a source with the connector http accepts records here.',
  ),
  MR_SOURCE_NOT_READY: row(
    'retry',
    503,
    'Source "{source}" of pipeline "{name}" accepts no records now: {problem}.',
    'Send the request again with the same Idempotency-Key; `millrace describe {name}` says what the source is waiting for.',
  ),
  MR_SOURCE_AT_REST: row(
    'refuse',
    409,
    'Source "{source}" of pipeline "{name}" takes no records: the pipeline is {state}.',
    '`millrace resume {name} -n {namespace}` lets it run; then send the request again with the same Idempotency-Key.',
  ),
  MR_REQUEST_INVALID: row('refuse', 400, '{where}: {problem}.', 'Correct the request; /openapi.json describes it.'),
  MR_ENVIRONMENT_INVALID: row(
    'refuse',
    400,
    '{variable} cannot be used: {problem}.',
    'Correct the environment and start again.',
  ),
  // Retried: an operation that meets it must go on when the Secret is corrected, of which nobody tells it.
  MR_ACCESS_INVALID: row(
    'retry',
    503,
    '{folder}, with which {server} is accessed, cannot be used: {problem}.',
    'Correct the Secret that is mounted there, or its files; docs/operations.md has a table of them.',
  ),
  MR_WEBHOOK_CERTIFICATE: row(
    'retry',
    503,
    'The certificate of the admission webhook cannot be renewed: {problem}.',
    'Pipelines are checked as before until it expires (`millrace_webhook_certificate_expiry_timestamp_seconds`); docs/operations.md says what happens then.',
  ),
  MR_REQUEST_FOREIGN: row(
    'refuse',
    403,
    '{problem}.',
    'Use the address on which the server listens, from a program or from a page that this server delivered. MILLRACE_API_HOSTS names further hosts of the API.',
  ),
  MR_API_TOKEN_REQUIRED: row(
    'refuse',
    401,
    'The API answers only requests that carry its token, and this request has {what}.',
    'Send `Authorization: Bearer TOKEN`, or `Millrace-Token: TOKEN`. The token of `millrace dev` is in the file api-token of its data directory.',
  ),
  MR_API_TOKEN_MALFORMED: row(
    'refuse',
    401,
    'A token is one word of ASCII, and the one for {api} {problem}.',
    'Put nothing but the token into MILLRACE_API_TOKEN, the file of MILLRACE_API_TOKEN_FILE, or `token` of the client.',
  ),
  MR_NOT_AUTHENTICATED: row(
    'refuse',
    401,
    'The API must know who asks, and this request has {problem}.',
    'Send a token as `Authorization: Bearer TOKEN`, or as `Millrace-Token: TOKEN`; docs/identity.md says where one comes from.',
  ),
  MR_CALLER_FORBIDDEN: row('refuse', 403, '"{caller}" may not {act}.', '{hint}'),
  // Never a yes: whoever may do nothing must not gain anything while nobody answers.
  MR_IDENTITY_UNKNOWN: row(
    'retry',
    503,
    'It is not known {question}: {problem}.',
    'Nothing was done. Send the request again when {who} can be asked.',
  ),
  MR_IMPERSONATION_REFUSED: row(
    'retry',
    503,
    'Kubernetes does not let the API act in the name of its caller: {problem}.',
    'Nothing was done. Give the service account of the API the rights of the chart (`api.auth`, `rbac.create`); docs/identity.md lists them.',
  ),
  MR_LOGIN_FAILED: row(
    'refuse',
    401,
    'There is no login to {api}: {problem}.',
    'Log in with `millrace login --api {api}`.',
  ),
  MR_TOO_MANY_REQUESTS: row(
    'retry',
    429,
    'There are too many requests {from}: {rate} a second are taken, and {burst} at once.',
    'Wait as long as Retry-After says.',
  ),
  MR_ROUTE_NOT_FOUND: row('refuse', 404, 'There is no {method} {path}.', '/openapi.json lists every route.'),
  MR_METHOD_NOT_ALLOWED: row(
    'refuse',
    405,
    '{path} does not accept {method}, but {allowed}.',
    '/openapi.json lists every route and its methods.',
  ),
  MR_MEDIA_TYPE: row(
    'refuse',
    415,
    'The body is {actual}, but must be one of {types}.',
    'Set Content-Type to the type of the body. Content-Encoding may be gzip, deflate or zstd.',
  ),
  MR_BODY_TOO_LARGE: row(
    'refuse',
    413,
    'The body has more than {limit} bytes.',
    'Send a smaller body; a pipeline is far below this limit.',
  ),
  MR_ERROR_CODE_UNKNOWN: row('refuse', 404, 'There is no error code "{code}".', '{hint}'),
  MR_NOT_ALLOWED: row(
    'refuse',
    403,
    'Kubernetes does not allow "{action}": {problem}.',
    'Have the permission granted in Kubernetes RBAC, or use another kubeconfig context.',
  ),
  MR_NAMESPACE_NOT_WATCHED: row(
    'refuse',
    403,
    'Millrace looks after pipelines in certain namespaces only ({watched}), and "{namespace}" is none of them.',
    'Use one of these, or have the namespace added to `watchNamespaces` of the chart.',
  ),
  MR_ISOLATION_NOT_ALLOWED: row(
    'refuse',
    422,
    'Pipeline "{name}" in namespace "{namespace}" asks for a namespace of its own (`spec.isolation: Namespace`), and Millrace may make none: it keeps to {watched}.',
    'Set `spec.isolation: Shared` in a new pipeline, because it is immutable; or have `watchNamespaces` of the chart left empty.',
  ),
  MR_TEMPORAL_UNAVAILABLE: row(
    'retry',
    503,
    'Temporal at {address} does not answer: {problem}.',
    'Check the address, the network and the frontend; running pipelines keep moving records.',
  ),
  MR_TEMPORAL_NAMESPACE_MISSING: row(
    'retry',
    503,
    'Temporal at {address} has no namespace "{namespace}".',
    'Create it (`temporal operator namespace create {namespace}`), or name another one (`temporal.namespace`).',
  ),
  MR_KUBERNETES_UNAVAILABLE: row(
    'retry',
    503,
    'The Kubernetes API at {server} does not answer: {problem}.',
    'Check the kubeconfig and the API server; running pipelines keep moving records.',
  ),
  MR_WAIT_TIMEOUT: row(
    'refuse',
    504,
    'Pipeline "{name}" is not {wanted} after {timeout}: {state}.',
    'It continues by itself; `millrace describe {name}` says what it is waiting for.',
  ),
  MR_INTERNAL: row(
    'refuse',
    500,
    'Millrace failed: {problem}.',
    'Look for the id of the request in the log of the API.',
  ),
  MR_ENGINE_UNAVAILABLE: row(
    'retry',
    503,
    'Temporal at {address} does not answer.',
    'Running pipelines keep moving records; changes wait until Temporal is reachable again.',
  ),
  MR_KUBECONFIG_UNREADABLE: row(
    'retry',
    503,
    'The kubeconfig {file} cannot be used: {problem}.',
    'Correct the file, or name another one in KUBECONFIG or with --kubeconfig.',
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
    'Correct what the message names; the next generation is applied at once.',
  ),
  MR_KUBERNETES_FORBIDDEN: row(
    'retry',
    403,
    'Kubernetes does not allow {object}: {problem}.',
    'Grant Millrace the permission, or make room in the quota; it then continues by itself.',
  ),
  MR_OBJECT_FOREIGN: row(
    'retry',
    409,
    '{object} is in the way: it belongs to {owner}.',
    'Millrace neither changes nor deletes it. Remove it, or give the pipeline another name; Millrace then continues by itself.',
  ),
  MR_OBJECT_HELD: row(
    'retry',
    409,
    '{object} was deleted but still exists: {problem}.',
    'Millrace continues by itself once it is gone; it removes no finalizer of others.',
  ),
  MR_OPERATION_FENCED: row(
    'fence',
    409,
    'Operation {seq} must not write {object}: operation {newer} has written it.',
    'Nothing to do: the newer operation continues.',
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
    'Generation {generation} of pipeline "{name}" in namespace "{namespace}" cannot be carried out: its streams already hold generations up to {newest}, and a different plan under this number.',
    'Kubernetes has restarted its count of generations, as it does after a restore of its store. Edit the spec, however little, until `metadata.generation` is above {newest}. Until then the pods keep running as they are.',
  ),
  MR_SOURCE_NOT_GONE: row(
    'refuse',
    409,
    'Source "{source}" cannot be added again with connector {connector} and {slots} slots: the removed source of that name, with connector {before} and {had} slots, still has records in edge "{edge}".',
    'Give the new source another name. Or remove it from the spec, wait until the pipeline is Ready without it, and then add it.',
  ),
  MR_SOURCE_RETURNS_OTHER: row(
    'refuse',
    409,
    'Source "{source}" cannot come back with connector {connector} and {slots} slots: it left with connector {before} and {had} slots, and continues from where it stopped.',
    'Give it the connector and the number of slots that it had (`slots: {had}`), or another name; a source of another name starts where `startFrom` says.',
  ),
  MR_PIPELINE_STALLED: row(
    'refuse',
    422,
    'The pipeline is stuck ({reason}): {problem}',
    'Correct the spec and apply again.',
  ),
  MR_PIPELINE_NOT_DELETED: row(
    'fence',
    409,
    'Pipeline "{name}" in namespace "{namespace}" exists and is not being deleted.',
    'Nothing to do: it is left as it is.',
  ),
  MR_PIPELINE_BEING_DELETED: row(
    'fence',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is being deleted.',
    'Nothing to do: nothing more is created for it.',
  ),
  MR_PLAN_MISSING: row(
    'refuse',
    409,
    'Pipeline "{name}" in namespace "{namespace}" has no plan in the cluster that could be applied again.',
    'Correct the spec: it is then carried out as a whole.',
  ),
  MR_STEP_WAITS: row(
    'retry',
    503,
    'The step "{step}" is not done yet: {progress}.',
    'Nothing to do: Millrace checks again by itself.',
  ),
  MR_OBJECT_VANISHED: row(
    'fence',
    409,
    '{object} is gone, although an earlier step created it.',
    'Nothing to do: the operation starts again from its first step.',
  ),
  MR_UNINSTALL_BLOCKED: row(
    'refuse',
    409,
    'Millrace is not uninstalled while there are pipelines ({all}): {names}.',
    'Delete them first, or say what becomes of them, Drain or Orphan: {how}. Then uninstall again.',
  ),
  MR_UNINSTALL_UNFINISHED: row(
    'refuse',
    504,
    'Millrace is not uninstalled, because not all pipelines are gone in time ({left} left): {names}.',
    'They are still being deleted: `millrace describe` says what each waits for. Uninstall again when they are gone, with more time if necessary.',
  ),
  MR_NATS_KEYS_INCOMPLETE: row(
    'refuse',
    409,
    'In namespace "{namespace}" there is {found}, and not {missing}, which belongs to it: keys of NATS are made together, and never again.',
    'Restore what is missing from a backup. If NATS has not run with these keys yet, delete what is there, and all are made anew.',
  ),
  MR_KUBERNETES_TOO_OLD: row(
    'refuse',
    503,
    'Kubernetes is {found}, and Millrace needs {needed} or later.',
    'Upgrade the cluster.',
  ),
  MR_KIND_MISSING: row(
    'refuse',
    503,
    'The API server does not know the kind {kind} of {apiVersion}.',
    'Install or upgrade the chart with `crds.enabled=true`, or apply `crds/millrace.io_pipelines.yaml`.',
  ),
  MR_RIGHT_MISSING: row(
    'refuse',
    403,
    'The {process} must be allowed to {verb} {resource}{where} ({why}), and is not.',
    'Install or upgrade the chart with `rbac.create=true`, or add the rule to its role.',
  ),
  MR_STAGE_BEHIND_AGAIN: row(
    'fence',
    409,
    'Stage {stage} was read to its end and stopped, and its edge has gone back since: it has something to read or to ask.',
    'Nothing to do: the operation starts again from its first step, and starts the pods of that stage.',
  ),
  MR_SOURCE_WROTE_AGAIN: row(
    'retry',
    409,
    'Source "{source}" leaves edge "{edge}", but a pod of before has written after its last frame was read: the edge has gone back.',
    'Nothing to do: what it wrote is read first. With `deletionPolicy: Immediate` it is given up.',
  ),
  MR_CLUSTER_FOREIGN: row(
    'retry',
    409,
    'Pipeline "{name}" in namespace "{namespace}" is in cluster {wanted}, but this process is in cluster {found}.',
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
    'Pipeline "{name}" in namespace "{namespace}" is not in this cluster ({found}), and which cluster it was in is not known.',
    'Nothing is taken down; the controller of its cluster reports where it is as soon as it sees the pipeline.',
  ),
  MR_PIPELINE_REPLACED: row(
    'fence',
    409,
    'Pipeline "{name}" in namespace "{namespace}" with uid {uid} is gone.',
    'Nothing to do: everything that belongs to it is taken down.',
  ),
  MR_NAMESPACE_BLOCKED: row(
    'retry',
    409,
    'Namespace "{namespace}" is being deleted but still exists: {problem}.',
    'Remove what the message names, or its finalizer; Millrace then continues by itself.',
  ),
  MR_NOT_DRAINED: row(
    'retry',
    409,
    'The sinks have not yet written everything that was read: {behind}{because}.',
    '{hint}',
  ),
  MR_DRAIN_ASKS: row(
    'retry',
    409,
    '{stage} slot {slot} asks how to continue, and until a person decides, what was read does not count as written.',
    'See what it has found (`millrace describe {pipeline}`), and decide: `millrace decide {pipeline} {token} reread` or `accept-loss`; or set `deletionPolicy: Immediate` to discard what is not written.',
  ),
  MR_SECRET_MISSING: row(
    'retry',
    409,
    '{kind} "{name}" in namespace "{namespace}" must have key "{key}", but {problem}.',
    'Create it; Millrace then continues by itself.',
  ),
  MR_SECRET_KEY_MISSING: row(
    'retry',
    409,
    '{kind} "{name}" in namespace "{namespace}" is there, and has no key "{key}".',
    'Add the key, or name another one in the spec; Millrace then continues by itself.',
  ),
  MR_CREDENTIAL_UNUSABLE: row(
    'retry',
    409,
    '{credential}, used for {field}, {problem}.',
    'Correct the value; Millrace picks up the new one by itself.',
  ),
  MR_WORKER_FAILED: row(
    'retry',
    500,
    'Slot {slot} of {stage} has failed: {problem}.',
    'Millrace restarts it by itself; if it keeps failing, report it with the log of the pod.',
  ),
  MR_PODS_NOT_GONE: row(
    'retry',
    503,
    '{stage} still has {left} pods that should be gone: {why}.',
    'If the node of a pod is dead, bring it back or delete it (`kubectl delete node`), or delete the pod by force (`kubectl delete pod --force`).',
  ),
  MR_WORKLOAD_NOT_READY: row(
    'retry',
    503,
    '{stage} has {ready} of {wanted} pods ready: {why}.',
    'See `millrace logs` for the stage; Millrace keeps waiting.',
  ),
  MR_WORKER_OUT_OF_MEMORY: row(
    'retry',
    503,
    '{stage} has {ready} of {wanted} pods ready: {why}.',
    'Raise `spec.resources.limits.memory`, or have a pod hold less: more `replicas`, smaller batches (`batch`). Kubernetes starts it again by itself, later each time.',
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
    'It waits for your decision. `millrace decide {pipeline} {token} accept-loss` {acceptLoss}; `millrace decide {pipeline} {token} reread` {reread}. `onPositionLost` of the source decides in advance.',
  ),

  MR_SOURCE_FORBIDDEN: row(
    'retry',
    403,
    'Source "{source}" lacks a permission at {server} as {user}: {problem}.',
    'Grant it (Kafka: Read and Describe on the topic); Millrace retries by itself.',
  ),
  MR_RECORDS_PATH: row(
    'refuse',
    404,
    'Records are accepted by POST {path}, not by {method} {asked}.',
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
    'Set Content-Type to the type of the body. Content-Encoding may be gzip, deflate or zstd.',
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
    'Record {index} of the request has {bytes} bytes, but {limit} can be stored at most. No record of the request is stored.',
    'Make it smaller, or raise max_payload of NATS.',
  ),
  MR_RECORDS_INVALID: row(
    'refuse',
    400,
    'No record of the request is stored: {problem}.',
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
    'Source "{source}" has stored a different body under this Idempotency-Key; nothing of this request is stored.',
    'Send it with a key of its own.',
  ),
  MR_RECORDS_KEYS_FULL: row(
    'retry',
    429,
    'Source "{source}" accepts no request with a new Idempotency-Key now: it already keeps {most} keys, the most that it may (one for each KiB of its buffer). Nothing of this request is stored.',
    'Send it again later, with the same key: keys are dropped when their idempotencyWindow is over. A larger buffer.maxBytes keeps more keys, a shorter idempotencyWindow keeps them for less time. Requests without a key are still accepted.',
  ),
  MR_RECORDS_BUSY: row(
    'retry',
    429,
    'Source "{source}" accepts no records now: {why}.',
    'Send the same request again after the time in Retry-After.',
  ),
  MR_RECORDS_NO_SLOT: row(
    'retry',
    503,
    'Source "{source}" accepts no records at this pod: {why}.',
    'Send the same request again after the time in Retry-After, with the same Idempotency-Key if it had one.',
  ),
  MR_SOURCE_UNREADABLE: row(
    'retry',
    500,
    'Source "{source}" cannot decode what it read at {position}: {problem}.',
    'Nothing after it in the same partition is read until it is gone; inspect it with the tools of the source.',
  ),

  // -- streams ---------------------------------------------------------------------------------------------------
  MR_STREAM_UNAVAILABLE: row(
    'retry',
    503,
    'JetStream at {server} does not answer: {problem}.',
    'Check nats-server; Millrace retries by itself and loses nothing.',
  ),
  MR_JETSTREAM_MISSING: row(
    'retry',
    503,
    'NATS at {server} has no JetStream for this account: {problem}.',
    'Enable JetStream in the configuration of nats-server, and for the account.',
  ),
  MR_STREAM_NOT_MADE: row(
    'retry',
    503,
    'NATS at {server} does not make a stream with {copies} of each message: {problem}.',
    'Run as many servers as copies are wanted, with room for streams, or set fewer copies (`nats.streamReplicas`).',
  ),
  MR_NATS_TOO_OLD: row(
    'retry',
    503,
    'nats-server at {server} is too old: {needed} or later is needed.',
    'Upgrade nats-server; Millrace then continues by itself.',
  ),
  MR_STREAM_MISSING: row(
    'retry',
    404,
    'Stream {stream} of pipeline {pipeline} was created before any pod started, and {found}.',
    'Restore it if you can. Otherwise `millrace decide {pipeline} {token} reread` recreates it and reads everything that its sources still hold, which may write records twice; `accept-loss` instead of `reread` continues with what arrives next. What only this stream held is lost either way.',
  ),
  MR_STREAM_FOREIGN: row(
    'retry',
    409,
    'Stream "{stream}" of JetStream at {server} does not belong to this pipeline: {owner}.',
    'Millrace neither uses nor deletes it. Remove it, or give the pipeline another name; Millrace then continues by itself.',
  ),
  MR_EDGE_FULL: row(
    'retry',
    429,
    'Edge "{edge}" is full ({bytes} bytes).',
    'Of the stages that read it the slowest decides: `millrace describe` says how far behind each is, and why one stands still. The source waits, and nothing is lost.',
  ),
  MR_DEAD_LETTERS_FULL: row(
    'retry',
    429,
    'The dead letters are full ({bytes} bytes).',
    'Raise deadLetters.maxBytes, or drop the oldest with `whenFull: DropOldest`; until then the pipeline waits.',
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
    'A message of {bytes} bytes for stream "{stream}" is larger than NATS accepts (max_payload {limit}).',
    'Nothing to do: max_payload was lowered while the message was being built, and Millrace builds it again in smaller pieces.',
  ),
  MR_OWNERSHIP_LOST: row(
    'fence',
    409,
    '{writer} is owned by another pod now (expected sequence {expected}).',
    'Nothing to do: the new owner continues from the stored position.',
  ),
  MR_NOT_REGISTERED: row(
    'retry',
    409,
    '{who} is not registered with edge "{edge}".',
    'The lifecycle registers it before its pods start, and unregisters it when it is removed; see the operation in Temporal.',
  ),
  MR_POSITION_LOST: row(
    'retry',
    409,
    '{who} is at {position} of {stream}, but {found}.',
    'It waits for your decision. `millrace decide {pipeline} {token} accept-loss` {accepted}; `millrace decide {pipeline} {token} reread` {reread}.',
  ),
  MR_EDGE_LOST: row(
    'retry',
    409,
    'Stream {stream} was created at {created} and held what this pipeline had read, but {found}.',
    'Restore it if you can. Otherwise `millrace decide {pipeline} {token} accept-loss` continues with the stream that exists now, or with an empty one. What the stream held is lost, sources without a position in it start where `startFrom` says, and idempotency keys of HTTP requests are forgotten: an earlier request that is repeated is stored a second time.',
  ),
  MR_DECISION_REFUSED: row(
    'refuse',
    409,
    'Decision "{decision}" was not carried out: {problem}.',
    'Take the token from the message that asks for a decision (`millrace describe`): `millrace decide NAME TOKEN accept-loss` or `reread`.',
  ),
  MR_ASKED_AGAIN: row(
    'refuse',
    409,
    'Decision "{decision}" was carried out, and pipeline {pipeline} asks for another one: {question}',
    'Decide that as well: each part that has met a loss asks for itself, and some notice theirs only when others continue.',
  ),
  MR_FRAME_PLAN_MISSING: row(
    'retry',
    409,
    'Frame {sequence} of {stream} was written under generation {plan}, whose plan is not stored.',
    'The frame waits until a lifecycle operation stores the plan; see the operation in Temporal.',
  ),
  MR_FRAME_CORRUPT: row(
    'refuse',
    500,
    'Frame {sequence} of {stream} does not decode: {problem}.',
    'The stream is damaged, or something other than Millrace has written to it; keep a copy and report it.',
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
    'Correct the producer; to get this record too, send it again.',
  ),
  MR_RECORD_MISFIT: row(
    'deadLetter',
    422,
    'Field "{field}" must be {wanted}, but is {actual}.',
    'Correct the producer or the schema; to get this record too, send it again.',
  ),
  MR_RECORD_EXPRESSION: row('deadLetter', 422, 'Step "{step}" failed on this record: {problem}.', '{hint}'),
  MR_RECORD_REFUSED: row(
    'deadLetter',
    422,
    'Sink "{sink}" refused the record: {problem}.',
    'Correct the record or the table; to get this record too, send it again.',
  ),

  MR_RECORD_DEFECT: row(
    'deadLetter',
    500,
    'Millrace failed on this record: {problem}.',
    'Neither the record nor the sink is at fault: report it; a version that corrects it takes the record when it is sent again.',
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
    '{user} of sink "{sink}" is logged in at {server} but may not write to {table}: {problem}.',
    '{grant}; Millrace retries by itself.',
  ),
  MR_SINK_SILENT: row(
    'retry',
    504,
    'Sink "{sink}" has not answered a write since {since}.',
    'Check that the server is alive and can be reached; Millrace waits for the answer, then retries by itself.',
  ),
  MR_SINK_PLACE_MISSING: row(
    'retry',
    404,
    'Sink "{sink}" writes to what does not exist at {server}: {problem}.',
    'Create what is named, or correct the name where it is used; Millrace retries by itself.',
  ),
  MR_SINK_TABLE_MISSING: row(
    'retry',
    404,
    'Table {table} of sink "{sink}" does not exist at {server}.',
    'Create it, or let Millrace do so with `createTable`; Millrace retries by itself.',
  ),
  MR_SINK_TABLE_UNFIT: row('retry', 409, 'Table {table} of sink "{sink}" does not fit: {problem}.', '{hint}'),
  MR_SINK_TABLE_CHANGED: row(
    'fence',
    409,
    'Table {table} of sink "{sink}" is not as it was when the sink read it.',
    'Nothing to do: the sink reads the table again and continues. If this lasts, something alters the table again and again: a job, or a trigger on it.',
  ),
  MR_SINK_OUTCOME_UNKNOWN: row(
    'retry',
    409,
    'Millrace can no longer tell whether frames {from} to {to} of sink "{sink}" ({rows} rows) are in {table}: {problem}.',
    'Look for these rows in the table. Set `onUncertain` of the sink to Skip if they are there, or to Repeat if they are not; apply, and set it back to Stop afterwards. {hint}',
  ),
  MR_SINK_VIEW_FAILED: row(
    'retry',
    409,
    'Table {table} of sink "{sink}" may have stored a batch that one of its materialized views then refused: {problem}.',
    'Correct the view or the table that it writes to; Millrace repeats the batch by itself, and tables that already have the batch drop it.',
  ),
  MR_SINK_ROWS_UNKNOWN: row(
    'retry',
    409,
    'Table {table} of sink "{sink}" refuses rows of a batch, and Millrace cannot find out which: {problem}.',
    '{hint}',
  ),
  MR_SINK_POSITION_LOST: row(
    'retry',
    410,
    'Sink "{sink}" has stored slot {slot} up to frame {stored}, but the commit log says {committed}: {problem}.',
    'Restore what the sink has lost, or decide: `millrace decide {pipeline} {token} reread` reads again what the stream still holds of what came after the position of the sink, or all of it where that cannot be told; `accept-loss` instead of `reread` continues from the commit log, without what is missing. `onPositionLost` of the sink decides in advance.',
  ),
  MR_SINK_FAILED: row(
    'retry',
    502,
    'Sink "{sink}" at {server} fails in a way that Millrace does not recognize: {problem}.',
    'Millrace repeats the batch by itself, under the same token; if the failure persists, look for the cause at the server.',
  ),
  MR_SINK_BUSY: row(
    'retry',
    429,
    'Sink "{sink}" at {server} is busy and asks Millrace to wait: {problem}.',
    'Millrace slows down and retries by itself.',
  ),

  // -- local stack -----------------------------------------------------------------------------------------------
  MR_BINARY_MISSING: row(
    'refuse',
    500,
    '{binary} {version} is not installed and could not be obtained: {problem}.',
    '{hint}',
  ),
  MR_PORT_IN_USE: row(
    'refuse',
    409,
    'Port {port} for {part} is in use by {owner}.',
    'Stop that process, or choose another port with {flag}.',
  ),
  MR_STACK_RUNNING: row(
    'refuse',
    409,
    'The local stack in {dir} is already running, in process {pid}: {where}.',
    'See `millrace dev status`; stop it with `millrace dev down`.',
  ),
  MR_STACK_LACKS_PARTS: row(
    'refuse',
    409,
    'The local stack in {dir} is already running, in process {pid}, without {missing}: it has {parts}.',
    'End it with `millrace dev down`, which keeps its data; then start it again with `--with {extras}`.',
  ),
  MR_STACK_NOT_RUNNING: row(
    'refuse',
    404,
    'No local stack is running in {dir}.',
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

/** Undefined: only another version knows the code. */
export function handlingOf(code: string): Handling | undefined {
  return isErrorCode(code) ? errorTable[code].handling : undefined;
}

/** Whether it waits for a person's decision (`./decision.ts`). The code may be one that only another version knows. */
export function asksPerson(code: string | undefined): boolean {
  return code !== undefined && isErrorCode(code) && errorTable[code].fix.includes(' {token} ');
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

/**
 * The message of any thrown value, for a `problem` parameter. Of several errors in one (AggregateError, as of a host with
 * several addresses, whose own message is empty) it says what each of them says; no problem is empty.
 */
export function problemOf(error: unknown): string {
  return schemaProblem(error) ?? (error instanceof Error ? messageOf(error, 0) : String(error));
}

const mostInner = 8;
const deepestInner = 3;

function messageOf(error: Error, depth: number): string {
  const inner: unknown[] = error instanceof AggregateError && depth < deepestInner ? error.errors : [];
  const problems = inner
    .slice(0, mostInner)
    .map((each) => schemaProblem(each) ?? (each instanceof Error ? messageOf(each, depth + 1) : String(each)));
  const said = [error.message, shortened([...new Set(problems)].join('; '))].filter((text) => text !== '').join(': ');
  if (said !== '') return said;
  return error.name === 'Error' || error.name === 'AggregateError' ? 'it was not said why' : error.name;
}

/** Makes a switch over a union exhaustive: the compiler refuses a forgotten member. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected value: ${JSON.stringify(value)}`);
}

function row<const M extends string, const F extends string>(handling: Handling, http: number, message: M, fix: F) {
  return { handling, http, message, fix } as const;
}
