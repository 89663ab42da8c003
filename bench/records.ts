/** The records of the benchmark: a pure function of their number, so that sums can be checked. */

export interface RecordShape {
  readonly name: string;
  readonly value: (index: number) => string;
}

const statuses = ['paid', 'open', 'paid', 'void'] as const;

const order = (index: number): string =>
  `"id":${index},"status":"${statuses[index % 4] ?? 'paid'}","customer":"customer-${index % 5000}","amount":${(index % 1000) + 0.5},"qty":${(index % 7) + 1},"currency":"EUR","at":"2026-01-01T00:00:${String(index % 60).padStart(2, '0')}.000Z"`;

/** About 200 bytes, 9 fields. */
const small: RecordShape = {
  name: '200 B',
  value: (index) => `{${order(index)},"note":"order ${index} of the day","channel":"web-shop","region":"eu-west"}`,
};

/** About 1.2 KB, 38 fields. */
const large: RecordShape = {
  name: '1.2 KB',
  value: (index) => `{${order(index)},${largeTail}}`,
};

const largeTail = Array.from({ length: 31 }, (_, field) => `"field_${field}":"text of the field ${field}"`).join(',');

export const shapes = { small, large } as const;
