/** NATS subjects: tokens between dots; `*` stands for one token, a last `>` for one or more. */
const compiled = new Map<string, (subject: string) => boolean>();

export function matcher(filter: string): (subject: string) => boolean {
  const known = compiled.get(filter);
  if (known !== undefined) return known;
  const made = compile(filter);
  if (compiled.size > 10_000) compiled.clear();
  compiled.set(filter, made);
  return made;
}

function compile(filter: string): (subject: string) => boolean {
  if (!/[*>]/.test(filter)) return (subject) => subject === filter;
  const wanted = filter.split('.');
  if (wanted.at(-1) === '>' && !wanted.slice(0, -1).includes('*')) {
    const prefix = filter.slice(0, -1);
    return (subject) => subject.length > prefix.length && subject.startsWith(prefix);
  }
  return (subject) => {
    const tokens = subject.split('.');
    const open = wanted.at(-1) === '>';
    if (open ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
    return wanted.every((token, index) => token === '*' || token === '>' || token === tokens[index]);
  };
}

/** Whether some subject matches both. Enough for filters without `*` before a literal in the other. */
export function overlap(a: string, b: string): boolean {
  const [one, two] = [a.split('.'), b.split('.')];
  for (let index = 0; index < Math.max(one.length, two.length); index++) {
    const [x, y] = [one[index], two[index]];
    if (x === '>' || y === '>') return true;
    if (x === undefined || y === undefined) return false;
    if (x !== y && x !== '*' && y !== '*') return false;
  }
  return true;
}
