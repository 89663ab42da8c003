/**
 * Ctrl-C, `kill` and a closed terminal, as an abort signal.
 *
 * The first one asks for an orderly end. A later one ends the process at once; the next start cleans up. Package
 * managers forward a Ctrl-C that the terminal has already sent to all processes, so signals that come close together
 * count as one.
 */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
  readonly happened: Promise<void>;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const sameWishMs = 2_000;
const interruptedExitCode = 130;

export function untilInterrupted(): Interrupt {
  const controller = new AbortController();
  const forget = () => {
    for (const name of signals) process.off(name, onSignal);
  };
  let firstAt: number | undefined;
  const onSignal = () => {
    firstAt ??= Date.now();
    if (Date.now() - firstAt > sameWishMs) process.exit(interruptedExitCode);
    controller.abort();
  };
  for (const name of signals) process.on(name, onSignal);
  const happened = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return { signal: controller.signal, happened, [Symbol.dispose]: forget };
}
