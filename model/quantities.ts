/** Quantities and durations as a spec writes them. */

const factors: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** The number that `100m`, `2` or `128Mi` stands for. */
export function quantityOf(text: string): number {
  const [, number, unit = ''] = /^([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)$/.exec(text) ?? [];
  const factor = factors[unit];
  if (number === undefined || factor === undefined) throw new TypeError(`not a quantity: ${text}`);
  return Number(number) * factor;
}

/** `500ms`, `10s`, `5m`, `1h`. */
export const durationPattern = /^[0-9]+(ms|s|m|h)$/;

/** `512Ki`, `16Mi`, `1Gi`, or a plain number of bytes. */
export const bytePattern = /^[1-9][0-9]*(Ki|Mi|Gi|Ti)?$/;

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const byteUnits: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Milliseconds of a `durationPattern`. */
export function milliseconds(duration: string): number {
  const [, count, unit] = /^([0-9]+)(ms|s|m|h)$/.exec(duration) ?? [];
  const factor = durationUnits[unit ?? ''];
  if (count === undefined || factor === undefined) throw new TypeError(`not a duration: ${duration}`);
  return Number(count) * factor;
}

/** Bytes of a `bytePattern`. */
export function bytes(quantity: string): number {
  const [, count, unit] = /^([0-9]+)(Ki|Mi|Gi|Ti)?$/.exec(quantity) ?? [];
  const factor = byteUnits[unit ?? ''];
  if (count === undefined || factor === undefined) throw new TypeError(`not a quantity of bytes: ${quantity}`);
  return Number(count) * factor;
}
