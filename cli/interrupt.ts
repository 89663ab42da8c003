/**
 * Ctrl-C, `kill` and a closed terminal, as an abort signal.
 *
 * The first one asks for an orderly end. The default behaviour is back after it, so a second one ends the process at
 * once; what it leaves is cleaned up by the next start.
 */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
  readonly happened: Promise<void>;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function untilInterrupted(): Interrupt {
  const controller = new AbortController();
  const forget = () => {
    for (const name of signals) process.off(name, onSignal);
  };
  const onSignal = () => {
    forget();
    controller.abort();
  };
  for (const name of signals) process.on(name, onSignal);
  const happened = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return { signal: controller.signal, happened, [Symbol.dispose]: forget };
}
