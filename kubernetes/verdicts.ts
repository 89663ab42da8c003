/**
 * What to do about an answer other than the expected one: one table, status × verb.
 *
 * V1  `gone` is returned only if the API server itself says, by name, that the object does not exist: absence must be
 *     proven before anything irreversible is done. A proxy's page, an unknown route and a missing CRD are 404, too.
 * V2  `refuse` is returned only for what would be refused again: the API server has read the object and rejects it.
 * V3  Everything else is temporary: it is retried, with its reason shown, for as long as it takes.
 */

export const verbs = ['GET', 'LIST', 'WATCH', 'APPLY', 'CREATE', 'PATCH', 'DELETE'] as const;
export type Verb = (typeof verbs)[number];

export type Verdict =
  /** It may pass by itself, or a person repairs it outside of the spec. */
  | 'retry'
  /** What was sent must change. */
  | 'refuse'
  /** The requested object, or the namespace in which it should be created, is proven not to exist. */
  | 'gone'
  /** Another writer was faster, or another object has the name: read again. */
  | 'conflict';

/** What an answer means, independent of the verb. */
export type Situation =
  /** There was no answer. */
  | 'network'
  /** The answer is not one of the Kubernetes API: a proxy's page, a redirection, something that is not JSON. */
  | 'foreign'
  /** A page of a server in Go, maybe the API server's, that it has nothing at this path. */
  | 'noRoute'
  /** NotFound, and it names the object that was asked for. */
  | 'absent'
  /** NotFound, and it names the namespace in which the object should be created. */
  | 'namespaceAbsent'
  /** The object with this name has another uid. */
  | 'anotherObject'
  | '400'
  | '401'
  | '403'
  /** The one who sent the request may not act in the name in which it is. */
  | 'notInThatName'
  /** NotFound for something else: mostly the resource type. */
  | '404'
  | '405'
  | '409'
  | '410'
  | '413'
  | '415'
  | '422'
  | '429'
  | '5xx'
  /** Any other status. */
  | 'other';

type Row = Readonly<Record<Verb, Verdict>>;

const always: Row = {
  GET: 'retry',
  LIST: 'retry',
  WATCH: 'retry',
  APPLY: 'retry',
  CREATE: 'retry',
  PATCH: 'retry',
  DELETE: 'retry',
};
/** The written object is at fault; a read or a deletion has no object. */
const object: Row = { ...always, APPLY: 'refuse', CREATE: 'refuse', PATCH: 'refuse' };
const race: Row = { ...always, APPLY: 'conflict', CREATE: 'conflict', PATCH: 'conflict', DELETE: 'conflict' };

export const verdicts: Readonly<Record<Situation, Row>> = {
  network: always,
  foreign: always,
  noRoute: always,
  absent: { ...always, GET: 'gone', APPLY: 'gone', PATCH: 'gone', DELETE: 'gone' },
  namespaceAbsent: { ...always, APPLY: 'gone', CREATE: 'gone' },
  anotherObject: race,
  '400': object,
  '401': always,
  '403': always,
  notInThatName: always,
  '404': always,
  '405': always,
  '409': race,
  '410': always,
  '413': object,
  '415': always,
  '422': object,
  '429': always,
  '5xx': always,
  other: always,
};
