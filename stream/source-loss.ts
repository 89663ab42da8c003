/**
 * What happens to a source slot whose position no longer exists at the source: a person decides (`./decisions.ts`).
 *
 * Q1  A decision counts once: a later loss asks again, and so does an owner that takes the slot over before the
 *     decision shows in the slot's frames.
 * Q2  When the slot reads again without a decision, because somebody has restored what was lost, the question is
 *     withdrawn.
 */
import type { DecisionChoice } from '../model/decision.ts';
import { mr } from '../model/errors.ts';
import { commitsEdge, edgeStream, slotTokens } from '../model/names.ts';
import type { Plan } from '../model/plan.ts';
import { askFor, storedQuestion, takeBack, type Asker } from './decisions.ts';
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
  readonly #asker: Asker;
  /** Asked by this owner, or by one before it. */
  #mayHaveAsked = true;

  constructor(options: SourceLossOptions) {
    this.#options = options;
    const { streams, pipeline, stage, slot } = options;
    this.#asker = { streams, pid: pipeline.pid, scope: stage, who: slotTokens(stage, slot) };
  }

  /** Q2. The reader has found its position. */
  goesOn(): void {
    if (!this.#mayHaveAsked) return;
    this.#mayHaveAsked = false;
    this.#takeBack().catch(() => {
      // Tried again at the next read.
      this.#mayHaveAsked = true;
    });
  }

  async #takeBack(): Promise<void> {
    const asked = await storedQuestion(this.#asker);
    if (asked !== undefined) await takeBack(this.#asker, asked);
  }

  async choiceAbout({ found, ...lost }: LostAtSource): Promise<DecisionChoice> {
    const { pipeline, source, stop } = this.#options;
    const { pid } = pipeline;
    const asker = this.#asker;
    this.#mayHaveAsked = true;
    // No stream entry depends on this decision: once it is used, the question can be removed.
    const ask = async () => {
      const answer = await askFor({ ...asker, loss: found, after: 0 });
      if (answer.kind === 'decided') await takeBack(asker, { sequence: answer.decision.sequence });
      return answer;
    };
    const answer = await untilAnswered(edgeStream(pid, commitsEdge), ask, this.#options, stop);
    if (answer.kind === 'decided') return answer.decision.choice;
    const { token } = answer;
    throw mr('MR_SOURCE_POSITION_LOST', { source, ...lost, pipeline: pipelineText(pipeline), token });
  }
}
