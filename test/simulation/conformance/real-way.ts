/** The way to a real server on loopback, as bad as the simulation's can be. */
import { eventually } from '../../support/eventually.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import type { Way } from './sink-bench.ts';

export interface RealWay {
  readonly port: number;
  on<T>(way: Way, ask: () => Promise<T>): Promise<T>;
  /** The answer to what contains `sent` is lost, and with it the connection. */
  losingAnswerTo<T>(sent: string, ask: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function openWay(toPort: number): Promise<RealWay> {
  let proxy = await startTcpProxy(toPort);
  const { port } = proxy;

  /** Nobody listens, where a proxy that refuses would reset. */
  async function onNone<T>(ask: () => Promise<T>): Promise<T> {
    await proxy.close();
    try {
      return await ask();
    } finally {
      proxy = await startTcpProxy(toPort, port);
    }
  }

  return {
    port,
    async on(way, ask) {
      if (way === 'refusing') return onNone(ask);
      proxy.set(way === 'mute' ? 'mute' : 'blackhole');
      const asked = ask();
      try {
        const ended = asked.then(
          () => true,
          () => true,
        );
        await Promise.race([eventually(() => proxy.lost > 0), ended]);
      } finally {
        // Whoever asks would wait for its timeout; that the connection ends is the same to it.
        proxy.set('pass');
      }
      return asked;
    },
    async losingAnswerTo(sent, ask) {
      proxy.loseAnswerTo(sent);
      try {
        return await ask();
      } finally {
        proxy.loseAnswerTo(undefined);
      }
    },
    close: () => proxy.close(),
  };
}
