/**
 * What a sink stage does to each record: the steps in order, then the route.
 *
 * T1  A record is kept when no step drops it, none of the route's `unless` holds, and `when` (if any) holds.
 * T2  A step with `when` leaves records unchanged for which `when` is false.
 * T3  Of the stages that share the steps, exactly one reports a record that fails: the owner of step failures when a
 *     step fails, the stage whose own `when` fails. A failing `unless` is the `when` of an earlier sink, which reports
 *     it; here the record is dropped.
 */
import { mr } from '../model/errors.ts';
import type { PlannedStep, SinkStage } from '../model/plan.ts';
import type { RecordMeta, RecordObject } from '../model/value.ts';
import { compileCondition, type Condition } from './expression/expression.ts';
import { usedFields } from './expression/used-fields.ts';
import { transformOf } from './registry.ts';
import type { StepProgram, Verdict } from './transform.ts';

/** A record that one of the steps or the route could not process. */
export interface RecordProgram {
  /**
   * Changes `value` in place. Throws MillraceError MR_RECORD_EXPRESSION for a record that this stage has to report as a
   * dead letter; a failure that another stage reports is a `drop`.
   */
  run(value: RecordObject, meta: RecordMeta, nowMs: number): Verdict;
}

type SharedPart = Pick<SinkStage, 'sink' | 'steps' | 'route' | 'ownsStepFailures'>;

/** Throws MillraceError MR_SPEC_EXPRESSION or MR_SPEC_INVALID. */
export function compileStages(stage: SharedPart): RecordProgram {
  const steps = stage.steps.map(compileStep);
  const route = compileRoute(stage);
  const runSteps = stage.ownsStepFailures ? inOrder(steps) : quietly(inOrder(steps));
  return {
    run(value, meta, nowMs) {
      return runSteps(value, meta, nowMs) === 'drop' ? 'drop' : route(value, meta, nowMs);
    },
  };
}

/**
 * The fields of a record that the stage's steps, conditions and schemas look at or change; null when they may be any. Run
 * on an object with these fields alone, the program gives the same verdict and the same fields as on the whole record.
 */
export function touchedFields({
  steps,
  route,
  sources,
}: Pick<SinkStage, 'steps' | 'route' | 'sources'>): ReadonlySet<string> | null {
  const touched = new Set(Object.values(sources).flatMap(({ schema }) => (schema ?? []).map(({ name }) => name)));
  const expressions = [...route.unless, ...(route.when === null ? [] : [route.when])];
  for (const step of steps) {
    const transform = transformOf(step.kind);
    if (transform === undefined) return null;
    for (const name of transform.touches(step.config)) touched.add(name);
    expressions.push(...transform.expressions(step.config).map(({ source }) => source));
    if (step.when !== null) expressions.push(step.when);
  }
  for (const expression of expressions) {
    const used = usedFields(expression);
    if (used === null) return null;
    for (const name of used) touched.add(name);
  }
  return touched;
}

function compileStep(step: PlannedStep): StepProgram {
  const transform = transformOf(step.kind);
  if (transform === undefined) {
    throw mr('MR_SPEC_INVALID', { path: `step "${step.name}"`, problem: `there is no kind of step "${step.kind}"` });
  }
  const program = transform.compile(step.config, step.name);
  if (step.when === null) return program;
  const isMeant = compileCondition(step.when, `step "${step.name}", when`, step.name);
  return (value, meta, nowMs) => (isMeant(value, meta, nowMs) ? program(value, meta, nowMs) : 'keep');
}

function inOrder(steps: readonly StepProgram[]): StepProgram {
  return (value, meta, nowMs) => {
    for (let i = 0; i < steps.length; i++) {
      if (steps[i]!(value, meta, nowMs) === 'drop') return 'drop';
    }
    return 'keep';
  };
}

/** A failure is a drop: another stage reports it. */
function quietly(program: StepProgram): StepProgram {
  return (value, meta, nowMs) => {
    try {
      return program(value, meta, nowMs);
    } catch {
      return 'drop';
    }
  };
}

function compileRoute({ sink, route }: SharedPart): StepProgram {
  const unless = route.unless.map((source) => compileCondition(source, `sink "${sink}", unless`, `route of ${sink}`));
  const isTakenBefore = quietly((value, meta, nowMs) => (takes(unless, value, meta, nowMs) ? 'drop' : 'keep'));
  if (route.when === null) return unless.length === 0 ? () => 'keep' : isTakenBefore;
  const isTaken = compileCondition(route.when, `sink "${sink}", when`, `route of ${sink}`);
  return (value, meta, nowMs) => {
    if (isTakenBefore(value, meta, nowMs) === 'drop') return 'drop';
    return isTaken(value, meta, nowMs) ? 'keep' : 'drop';
  };
}

function takes(conditions: readonly Condition[], value: RecordObject, meta: RecordMeta, nowMs: number): boolean {
  for (let i = 0; i < conditions.length; i++) {
    if (conditions[i]!(value, meta, nowMs)) return true;
  }
  return false;
}
