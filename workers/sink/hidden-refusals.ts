/**
 * Removes values of Secrets from the refusals of a sink's slot.
 *
 * A server may repeat such a value: in a policy that names the current user, or a trigger that reads a setting. The
 * text of a refusal goes into the commit log, and from there into dead letters, status and Events, so values are
 * removed at its origin (`../pod/secrets.ts`, S1).
 */
import type { SinkSlot } from '../../connectors/connector.ts';
import { MillraceError } from '../../model/errors.ts';
import type { WriteEnd } from '../../stream/sink-port.ts';

export type Hide = (text: string) => string;

type Attempt = Parameters<SinkSlot['write']>;

/** A `write` for the slot that hides values in its refusals. */
export function hidingWrite(slot: SinkSlot, hide: Hide): (...attempt: Attempt) => Promise<WriteEnd> {
  return async (...attempt) => withoutSecrets(await slot.write(...attempt), hide);
}

function withoutSecrets(end: WriteEnd, hide: Hide): WriteEnd {
  if (end.kind !== 'stored' && end.kind !== 'examined') return end;
  // Thousands of rows share a few errors.
  const known = new Map<MillraceError, MillraceError>();
  const refused = end.refused.map(({ row, error }) => {
    const hidden = known.get(error) ?? errorWithout(error, hide);
    known.set(error, hidden);
    return { row, error: hidden };
  });
  return { ...end, refused };
}

function errorWithout(error: MillraceError, hide: Hide): MillraceError {
  const params = Object.entries(error.params).map(([name, value]): [string, string | number] => [
    name,
    typeof value === 'string' ? hide(value) : value,
  ]);
  return new MillraceError(error.code, Object.fromEntries(params), { cause: error });
}
