/**
 * Makes a scenario that fails smaller: leaves out parts (delta debugging) for as long as the same invariant breaks.
 *
 * Every part has its own randomness or none (kernel/random.ts), so what is left goes on meaning what it meant.
 */
import type { Scenario } from './plant/scenario.ts';

/** Label of the invariant that breaks, or undefined. */
export type Judge = (scenario: Scenario) => Promise<string | undefined>;

type Part = 'traps' | 'acts' | 'bursts';
const parts: readonly Part[] = ['traps', 'acts', 'bursts'];

export async function shrink(scenario: Scenario, judge: Judge): Promise<Scenario> {
  const label = await judge(scenario);
  if (label === undefined) return scenario;
  const fails = async (one: Scenario) => (await judge(one)) === label;
  let smallest = scenario;
  for (let before = -1; before !== sizeOf(smallest);) {
    before = sizeOf(smallest);
    for (const part of parts) smallest = await without(smallest, part, fails);
    smallest = await simpler(smallest, fails);
  }
  return smallest;
}

function sizeOf(scenario: Scenario): number {
  return parts.reduce((sum, part) => sum + scenario[part].length, 0);
}

/** Takes pieces away: halves first, then quarters, at last one at a time. */
async function without(scenario: Scenario, part: Part, fails: (one: Scenario) => Promise<boolean>): Promise<Scenario> {
  let current = scenario;
  for (let size = Math.ceil(current[part].length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < current[part].length;) {
      const list = [...current[part].slice(0, from), ...current[part].slice(from + size)];
      const smaller: Scenario = { ...current, [part]: list };
      if (await fails(smaller)) current = smaller;
      else from += size;
    }
  }
  return current;
}

/** One copy, one shard, one pod of each: whatever of it the failure does not need. */
async function simpler(scenario: Scenario, fails: (one: Scenario) => Promise<boolean>): Promise<Scenario> {
  const { fixed, first } = scenario;
  const candidates: Scenario[] = [
    { ...scenario, copies: 1 },
    { ...scenario, fixed: { ...fixed, shards: 1 } },
    { ...scenario, first: { ...first, sources: first.sources.slice(0, 1) } },
    { ...scenario, first: { ...first, sources: first.sources.map((source) => ({ ...source, replicas: 1 })) } },
    { ...scenario, first: { ...first, drops: [], fails: [] } },
  ];
  let current = scenario;
  for (const candidate of candidates) {
    const merged = { ...current, ...changesOf(scenario, candidate) };
    if (JSON.stringify(merged) !== JSON.stringify(current) && (await fails(merged))) current = merged;
  }
  return current;
}

function changesOf(before: Scenario, after: Scenario): Partial<Scenario> {
  const keys = Object.keys(after) as (keyof Scenario)[];
  return Object.fromEntries(keys.filter((key) => after[key] !== before[key]).map((key) => [key, after[key]]));
}
