/**
 * What a server says of its trouble, without what is another each time: the same trouble is told in the same words, so
 * that a condition stays as it is while a sink waits, and alarms can be grouped. The text as it was is the cause, which the
 * log has.
 *
 * Not for what is said of a row: there a number is the value that is at fault.
 */
const passing: readonly (readonly [what: RegExp, shown: string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '…'],
  [/\b(query[_ ]id|correlation ?id|request id|trace id)(['":= ]+)[\w-]+/gi, '$1$2…'],
  [/\bpg_(temp|toast_temp)_\d+\b/g, 'pg_$1'],
  [/\b(process|transaction|pid|thread|session|backend|query) \d+\b/gi, '$1 …'],
  [/\b0x[0-9a-f]+\b/gi, '…'],
  [/\b\d+(?:\.\d+)? (B|KiB|MiB|GiB|TiB|[kMGT]B|bytes|rows|parts|ms|milliseconds|sec|seconds|s)\b/g, '… $1'],
  [/\b\d+(?:\.\d+)?(ms|s)\b/g, '…$1'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, '…'],
  // Parts of a table, and blocks of them.
  [/\b(?:[0-9a-f]{32}|\d{4,8}|all)(?:_\d+){3,4}\b/g, '…'],
  // The end of a connection that is ours is another each time.
  [/\b((?:from|local(?: address)?|client)[ =:]+(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\])):\d+/gi, '$1'],
];

export function stableText(text: string): string {
  return passing.reduce((said, [what, shown]) => said.replace(what, shown), text);
}
