/**
 * What a sink stage does with a frame, by the plan that the frame names (E9): its program, and the topics that its
 * sources have there.
 *
 * V1  The same frame gives the same rows, whichever pod reads it and whatever its own plan is.
 * V2  A stage that a frame's plan does not have takes nothing from the frame.
 * V3  A plan that should be stored and is not is waited for: no other plan stands in for it.
 */
import { mr } from '../model/errors.ts';
import { commitsEdge, edgeStream, storedPlanSubject } from '../model/names.ts';
import type { Plan, SinkStage } from '../model/plan.ts';
import { News } from './news.ts';
import { readPlanInForce, readStoredPlan } from './plan-store.ts';
import type { SinkProgram } from './sink-port.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface StageView {
  readonly stage: SinkStage;
  readonly program: SinkProgram;
  /** Topic of each source that writes to the edge. */
  readonly topics: ReadonlyMap<string, string | null>;
}

export interface StageViewsOptions extends Asking {
  /** The pod's own. */
  readonly plan: Plan;
  readonly stage: SinkStage;
  readonly programOf: (stage: SinkStage) => SinkProgram;
}

/** Plans of few generations have frames that are unread. */
const keptViews = 16;

export class StageViews {
  readonly #options: StageViewsOptions;
  readonly #views = new Map<number, StageView | null>();

  constructor(options: StageViewsOptions) {
    this.#options = options;
    this.#views.set(options.plan.pipeline.generation, viewOf(options.stage, options.programOf));
  }

  /** Null: the stage takes nothing from frames of this plan. `sequence`: of the frame, for the message while it waits. */
  of(generation: number, sequence: number, signal: AbortSignal): StageView | null | Promise<StageView | null> {
    return this.#views.get(generation) ?? this.#load(generation, sequence, signal);
  }

  async #load(generation: number, sequence: number, signal: AbortSignal): Promise<StageView | null> {
    if (this.#views.has(generation)) return null;
    const { stage, programOf } = this.#options;
    const plan = await this.#planOf(generation, sequence, signal);
    const found = plan.stages.find((one): one is SinkStage => one.kind === 'sink' && one.name === stage.name);
    const view = found === undefined ? null : viewOf(found, programOf);
    this.#views.set(generation, view);
    if (this.#views.size > keptViews) this.#views.delete(Math.min(...this.#views.keys()));
    return view;
  }

  async #planOf(generation: number, sequence: number, signal: AbortSignal): Promise<Plan> {
    const { streams, plan: own, stage, clock, onWaiting } = this.#options;
    const { pid } = own.pipeline;
    const commits = edgeStream(pid, commitsEdge);
    const ask = async () => {
      const oldest = (await readPlanInForce(streams, pid))?.oldest ?? own.pipeline.generation;
      const wanted = Math.max(generation, oldest);
      return wanted === own.pipeline.generation ? own : await readStoredPlan(streams, pid, wanted);
    };
    const news = new News(streams, storedPlanSubject(pid, generation), clock);
    try {
      for (let isWaiting = false; ; isWaiting = true) {
        const plan = await untilAnswered(commits, ask, this.#options, signal);
        if (plan !== undefined) {
          if (isWaiting) onWaiting(undefined);
          return plan;
        }
        onWaiting(mr('MR_FRAME_PLAN_MISSING', { plan: generation, sequence, stream: edgeStream(pid, stage.reads) }));
        await news.wait(signal);
      }
    } finally {
      news.close();
    }
  }
}

function viewOf(stage: SinkStage, programOf: (stage: SinkStage) => SinkProgram): StageView {
  const topics = new Map(Object.entries(stage.sources).map(([source, { topic }]) => [source, topic]));
  return { stage, program: programOf(stage), topics };
}
