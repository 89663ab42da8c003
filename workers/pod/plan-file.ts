/** The plan that the lifecycle mounted, and this pod's stage in it. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { mr, problemOf } from '../../model/errors.ts';
import type { Plan, Stage } from '../../model/plan.ts';

/** Written by Millrace itself, so the only check is that it is a plan of a known version. */
const plan = z.custom<Plan>((value) => outline.safeParse(value).success, 'it is no plan of version 1');
const outline = z.object({
  planVersion: z.literal(1),
  pipeline: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    pid: z.string(),
    generation: z.number(),
  }),
  edges: z.array(z.object({ name: z.string(), shards: z.number().int().positive() })),
  stages: z.array(
    z.object({ kind: z.enum(['ingestor', 'sink']), name: z.string(), connector: z.string(), slots: z.number().int() }),
  ),
});

export async function readPlan(file: string): Promise<Plan> {
  try {
    return plan.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw mr('MR_SPEC_INVALID', { path: file, problem: problemOf(error) }, { cause: error });
  }
}

export function stageOf<Kind extends Stage['kind']>(
  from: Plan,
  kind: Kind,
  name: string,
): Extract<Stage, { kind: Kind }> {
  const isWanted = (stage: Stage): stage is Extract<Stage, { kind: Kind }> =>
    stage.kind === kind && stage.name === name;
  const stage = from.stages.find(isWanted);
  if (stage === undefined)
    throw mr('MR_SPEC_INVALID', { path: 'MILLRACE_STAGE', problem: `the plan has no ${kind} "${name}"` });
  return stage;
}
