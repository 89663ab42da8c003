/** Ids that nobody else makes: 64 bits of injected randomness tell processes apart, a count what one process makes. */
let made = 0;

export function uniqueId(random: () => number): string {
  const word = (value: number) => value.toString(16).padStart(8, '0');
  return word(Math.floor(random() * 2 ** 32)) + word(Math.floor(random() * 2 ** 32)) + word(made++);
}
