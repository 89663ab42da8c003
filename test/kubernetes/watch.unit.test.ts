import assert from 'node:assert/strict';
import { askedOf } from '../../kubernetes/asked.ts';
import { createKube } from '../../kubernetes/kube.ts';
import { parseAnswer } from '../../kubernetes/kube-error.ts';
import type { KubeRequest } from '../../kubernetes/transport.ts';
import { watchObjects } from '../../kubernetes/watch.ts';
import { HandClock } from '../support/hand-clock.ts';

const second = 1_000;

/** What a server says of a resourceVersion, or of a page of a list, that it no longer has. */
function expired(request: KubeRequest): Error {
  const body = JSON.stringify({
    ...{ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 410, reason: 'Expired' },
    message: 'too old resource version',
  });
  return parseAnswer({ status: 410, body }, askedOf(request), request.what, 'api');
}

const emptyList = { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '7' }, items: [] };

/** A server that does as it is told; a watch that is told nothing stays open. */
class Server {
  readonly clock = new HandClock();
  /** When it was asked, in seconds since the start. */
  readonly lists: number[] = [];
  readonly watches: number[] = [];
  readonly problems: string[] = [];
  list: 'answers' | 'expired' = 'answers';
  /** After so many milliseconds a watch is told that it is too old; undefined: never. */
  expiresAfterMs: number | undefined;
  readonly #end = new AbortController();
  readonly #startedAt = this.clock.now();
  #done: Promise<void> | undefined;

  start(): void {
    const kube = createKube({
      server: 'api',
      send: (request) => {
        this.#note(this.lists);
        return this.list === 'expired' ? Promise.reject(expired(request)) : Promise.resolve(emptyList);
      },
      open: (request) => {
        this.#note(this.watches);
        return new Promise((_, reject) => {
          const end = () => reject(new Error('over'));
          request.signal?.addEventListener('abort', end, { once: true });
          if (this.expiresAfterMs === 0) reject(expired(request));
          else if (this.expiresAfterMs !== undefined)
            this.clock.after(this.expiresAfterMs, () => reject(expired(request)));
        });
      },
      close: () => undefined,
    });
    this.#done = watchObjects(kube, {
      ...{ kind: 'ConfigMap', signal: this.#end.signal, clock: this.clock },
      ...{ onList: () => undefined, onChange: () => undefined, onError: (problem) => void this.problems.push(problem) },
      // Longer than a test: only what is told ends a connection.
      ...{ silenceMs: 1_000_000, relistMs: 1_000_000 },
    });
  }

  async stop(): Promise<void> {
    this.#end.abort(new Error('over'));
    await this.clock.advance(0);
    await this.#done;
  }

  #note(asked: number[]): void {
    // Asked in a tight loop it would never let the test continue.
    if (asked.push((this.clock.now() - this.#startedAt) / second) > 50) this.#end.abort(new Error('asked too often'));
  }
}

describe('a watch', () => {
  let server: Server;
  beforeEach(() => (server = new Server()));
  afterEach(() => server.stop());

  it('W3: a server whose lists are too old at once is asked with growing pauses, and that is reported', async () => {
    server.list = 'expired';
    server.start();
    await server.clock.advance(16 * second);
    assert.deepEqual(server.lists, [0, 1, 3, 7, 15]);
    assert.equal(server.problems.length, 5);
  });

  it('W3: so is one that ends each watch at once as too old, although it lists', async () => {
    server.expiresAfterMs = 0;
    server.start();
    await server.clock.advance(16 * second);
    assert.deepEqual(server.watches, [0, 1, 3, 7, 15]);
    assert.equal(server.problems.length, 5);
  });

  it('W1: a position that has become too old is no error: the list is read again at once', async () => {
    server.expiresAfterMs = 60 * second;
    server.start();
    await server.clock.advance(125 * second);
    assert.deepEqual(server.lists, [0, 60, 120]);
    assert.deepEqual(server.problems, []);
  });
});
