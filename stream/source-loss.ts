/**
 * What becomes of a source slot whose position the source does not have any more: a person decides (`./decisions.ts`).
 *
 * Q1  A decision counts once: a later loss asks again, and so does an owner that takes the slot over before what was
 *     decided shows in its frames.
 */
import type { DecisionChoice } from '../model/decision.ts';
import { mr } from '../model/errors.ts';
import { commitsEdge, edgeStream, slotTokens } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { askFor } from './decisions.ts';
import { pipelineText } from './edge-opening.ts';
import type { LostAtSource, SourceLossPort } from './source-port.ts';
import { untilAnswered, type Asking } from './until-answered.ts';

export interface SourceLossOptions extends Asking {
  readonly pipeline: Plan['pipeline'];
  readonly stage: string;
  readonly source: string;
  readonly slot: number;
  readonly stop: AbortSignal;
}

export class SourceLoss implements SourceLossPort {
  readonly #options: SourceLossOptions;

  constructor(options: SourceLossOptions) {
    this.#options = options;
  }

  async choiceAbout({ found, ...lost }: LostAtSource): Promise<DecisionChoice> {
    const { streams, pipeline, stage, source, slot, stop } = this.#options;
    const { pid } = pipeline;
    // No entry of the stream is in question: used, the question goes (after: 0).
    const question = { streams, pid, scope: stage, who: slotTokens(stage, slot), found, after: 0 };
    const ask = () => askFor(question);
    const answer = await untilAnswered(edgeStream(pid, commitsEdge), ask, this.#options, stop);
    if (answer.kind === 'decided') return answer.decision.choice;
    const { token } = answer;
    throw mr('MR_SOURCE_POSITION_LOST', { source, ...lost, pipeline: pipelineText(pipeline), token });
  }
}
