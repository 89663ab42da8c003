/** Compiled steps by what they are made of: thousands of runs have the same few. */
import type { SinkStage } from '../../../model/plan.ts';
import type { SinkProgram } from '../../../stream/sink-port.ts';
import { sinkProgram } from '../../../workers/sink/program.ts';

const made = new Map<string, SinkProgram>();

export function programOf(stage: SinkStage): SinkProgram {
  const key = JSON.stringify([stage.steps, stage.route, stage.sources, stage.ownsStepFailures]);
  const known = made.get(key);
  if (known !== undefined) return known;
  const program = sinkProgram(stage);
  made.set(key, program);
  return program;
}
