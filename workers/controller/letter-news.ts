/**
 * What there is to tell of dead letters since it was told last: one Event for each code and hour in which there are more,
 * and one for each hour in which some gave way to later ones. The key has both, so each is emitted once, by whichever
 * controller.
 */
import type { EventContent } from '../../activities/status/event.ts';
import type { DeadLetterCount } from '../../stream/dead-letter-count.ts';

export interface LetterEvent {
  readonly content: EventContent;
  readonly key: string;
}

const hourMs = 3_600_000;

export class LetterNews {
  readonly #told = new Map<string, number>();
  #toldDropped = 0;

  /** `now`: milliseconds since 1970. */
  next({ byCode, dropped }: Pick<DeadLetterCount, 'byCode' | 'dropped'>, now: number): readonly LetterEvent[] {
    const hour = Math.floor(now / hourMs);
    const news: LetterEvent[] = [];
    if (dropped > this.#toldDropped) {
      this.#toldDropped = dropped;
      const note = `${dropped} dead ${dropped === 1 ? 'letter was' : 'letters were'} dropped so far to make room for later ones.`;
      const content = { type: 'Warning', reason: 'DeadLettersDropped', action: 'drop', note } as const;
      news.push({ content, key: `dropped/${hour}` });
    }
    for (const { code, records, sample } of byCode) {
      if (records <= (this.#told.get(code) ?? 0)) continue;
      this.#told.set(code, records);
      const note = `${records} ${records === 1 ? 'record' : 'records'} with ${code} so far, such as: ${sample}`;
      const content = { type: 'Warning', reason: 'DeadLetters', action: 'putAside', note } as const;
      news.push({ content, key: `${code}/${hour}` });
    }
    return news;
  }
}
