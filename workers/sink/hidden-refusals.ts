/**
 * A sink's slot whose refusals repeat no value of a Secret.
 *
 * A server may repeat in a refusal what it was sent: a policy that names the current user, a trigger that reads a setting. The
 * text goes into the commit log, in an intent and in the entry of the batch, and from there into dead letters, status and
 * Events; so it loses such values here, where it comes from, as texts of dead letters, reports and the log do
 * (`../pod/secrets.ts`, S1).
 */
import type { SinkSlot } from '../../connectors/connector.ts';
import { MillraceError } from '../../model/errors.ts';
import type { WriteEnd } from '../../stream/sink-port.ts';

export type Hide = (text: string) => string;

type Attempt = Parameters<SinkSlot['write']>;

/** For the slot's `write`. */
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
