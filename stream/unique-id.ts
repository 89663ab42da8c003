/** Unique ids: 64 bits of injected randomness distinguish processes, a counter distinguishes the ids of one process. */
let made = 0;

export function uniqueId(random: () => number): string {
  const word = (value: number) => value.toString(16).padStart(8, '0');
  return word(Math.floor(random() * 2 ** 32)) + word(Math.floor(random() * 2 ** 32)) + word(made++);
}
