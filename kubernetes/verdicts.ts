/**
 * What to do about an answer that is not the wished one: one table, status × verb.
 *
 * V1  `gone` is said only of what the API server itself says is not there, by name: absence must be proven before
 *     something is done that cannot be undone. A proxy's page, a route that does not exist and a missing CRD are 404, too.
 * V2  `refuse` is said only of what would be refused again: the API server has read the object and does not take it.
 * V3  Everything else passes: it is retried, with its reason shown, for as long as it takes.
 */

export const verbs = ['GET', 'LIST', 'WATCH', 'APPLY', 'CREATE', 'PATCH', 'DELETE'] as const;
export type Verb = (typeof verbs)[number];

export type Verdict =
  /** It may pass by itself, or a person mends it outside of the spec. */
  | 'retry'
  /** What was sent must change. */
  | 'refuse'
  /** What was asked for, or the namespace that it should be made in, is proven not to be there. */
  | 'gone'
  /** Somebody else was faster, or another object has the name: look again. */
  | 'conflict';

/** What an answer means, apart from the verb. */
export type Situation =
  /** There was no answer. */
  | 'network'
  /** The answer is not one of the Kubernetes API: a proxy's page, a redirection, something that is not JSON. */
  | 'foreign'
  /** NotFound, and it names the object that was asked for. */
  | 'absent'
  /** NotFound, and it names the namespace that the object should be made in. */
  | 'namespaceAbsent'
  /** The object with this name has another uid. */
  | 'anotherObject'
  | '400'
  | '401'
  | '403'
  /** NotFound of something else: the resource type, mostly. */
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
/** The object that is written is at fault; a read or a deletion has none. */
const object: Row = { ...always, APPLY: 'refuse', CREATE: 'refuse', PATCH: 'refuse' };
const race: Row = { ...always, APPLY: 'conflict', CREATE: 'conflict', PATCH: 'conflict', DELETE: 'conflict' };

export const verdicts: Readonly<Record<Situation, Row>> = {
  network: always,
  foreign: always,
  absent: { ...always, GET: 'gone', APPLY: 'gone', PATCH: 'gone', DELETE: 'gone' },
  namespaceAbsent: { ...always, APPLY: 'gone', CREATE: 'gone' },
  anotherObject: race,
  '400': object,
  '401': always,
  '403': always,
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
