/**
 * Reports long steps to a person: one line when a step starts, one with its seconds when it ends.
 *
 * On a terminal the line counts the seconds in place; elsewhere a long step prints a line now and then, so that a log
 * shows that it is still running.
 */
export interface Progress {
  say(line: string): void;
  begin(what: string): Step;
}

export interface Step {
  done(how?: string): void;
  failed(why: string): void;
}

interface Output {
  write(text: string): boolean;
  readonly isTTY?: boolean;
}

const tickMs = 1_000;
const remindMs = 30_000;

export function progressTo(output: Output, now: () => number = Date.now): Progress {
  const isTerminal = output.isTTY === true;
  const say = (line: string) => void output.write(`${line}\n`);
  return {
    say,
    begin(what) {
      const startedAt = now();
      const elapsed = () => `${((now() - startedAt) / 1_000).toFixed(now() - startedAt < 10_000 ? 1 : 0)} s`;
      const show = isTerminal
        ? () => void output.write(`\r\u001b[2K${what} … ${elapsed()}`)
        : () => say(`${what} … still at it (${elapsed()})`);
      if (isTerminal) show();
      else say(`${what} …`);
      const timer = setInterval(show, isTerminal ? tickMs : remindMs);
      timer.unref();
      const end = (result: string) => {
        clearInterval(timer);
        say(`${isTerminal ? '\r\u001b[2K' : ''}${what}: ${result} (${elapsed()})`);
      };
      return { done: (how = 'done') => end(how), failed: (why) => end(why) };
    },
  };
}

export const silent: Progress = {
  say: () => undefined,
  begin: () => ({ done: () => undefined, failed: () => undefined }),
};
