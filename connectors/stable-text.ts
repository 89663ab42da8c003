/**
 * Removes from a server's error text what differs each time, so that the same trouble is reported in the same words.
 * Then a condition does not change while a sink waits, and alarms can be grouped. The original text is the error's
 * cause, which is logged.
 *
 * Not for errors about a row: there a number may be the faulty value.
 *
 * Secrets are hidden first: of one whose digits were replaced the rest would be shown.
 */
const passing: readonly (readonly [what: RegExp, shown: string])[] = [
  // OpenSSL names an address, a code and a line of its source, and none of them says this.
  [
    /(?:write EPROTO )?\b[0-9A-F]+:error:[0-9A-F]+:SSL routines:\w*:(?:wrong version number|packet length too long)(?::\S*)?/g,
    'the server does not speak TLS there',
  ],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '…'],
  [/\b(query[_ ]id|correlation ?id|request id|trace id)(['":= ]+)[\w-]+/gi, '$1$2…'],
  [/\bpg_(temp|toast_temp)_\d+\b/g, 'pg_$1'],
  [/\b(process|transaction|pid|xid|thread|session|backend|query) \d+\b/gi, '$1 …'],
  [/\b0x[0-9a-f]+\b/gi, '…'],
  // The unit passes, too: 900.00 KiB, then 1.00 MiB.
  [/\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB|TiB|[kMGT]B|bytes)\b/g, '…'],
  [/\b\d+(?:\.\d+)? (rows|parts|ms|milliseconds|sec|seconds|s)\b/g, '… $1'],
  [/\b\d+(?:\.\d+)?(ms|s)\b/g, '…$1'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, '…'],
  // Parts of a table, and blocks of them.
  [/\b(?:[0-9a-f]{32}|\d{4,8}|all)(?:_\d+){3,4}\b/g, '…'],
  // Our end of a connection has a different port each time.
  [/\b((?:from|local(?: address)?|client)[ =:]+(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\])):\d+/gi, '$1'],
];

let hidden = (text: string): string => text;

/** Of this process: called where its secrets are known, before it connects to anything. */
export function hideBeforehand(hide: (text: string) => string): void {
  hidden = hide;
}

export function stableText(text: string): string {
  return withoutPassing(hidden(text));
}

/** The same where nothing is hidden, for what is to be hidden itself. */
export function withoutPassing(text: string): string {
  return passing.reduce((said, [what, shown]) => said.replace(what, shown), text);
}

export function withoutAmounts(text: string): string {
  return withoutPassing(text).replace(amount, '…');
}

/** A number that stands by itself: of no name, path, version or address, and neither a limit nor a code. */
const amount =
  /(?<![\w.:/'"`-])(?<!\b(?:max|maximum|limit|limit is|errno|code)\b\W{1,3})\d+(?:\.\d+)?(?![\w'"`]|[.:-]\d)/gi;

/**
 * Of what a server says about its own load: every amount passes, whatever it counts. A limit stays, because a person may
 * want to raise it.
 */
export function stableLoadText(text: string): string {
  return withoutAmounts(hidden(text));
}
