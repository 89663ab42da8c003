/**
 * A pull consumer of the model, without acknowledgements: what it has delivered, and the requests that are open.
 *
 * Its answers are those of nats-server: messages in order while they fit what was asked for, then a status.
 */
import type { Delivered, PullRequest } from '../../../stream/jetstream-port.ts';
import type { World } from '../kernel/world.ts';
import type { Stream } from './stream.ts';

/** Where answers go: the inbox of the request. */
export interface PullInbox {
  delivered(message: Delivered): void;
  status(code: number, description: string, delivered?: number): void;
}

interface Pull {
  readonly inbox: PullInbox;
  readonly request: PullRequest;
  messagesLeft: number;
  bytesLeft: number;
  cancelExpiry: () => void;
  cancelHeartbeat: () => void;
}

const nameLength = 8;
const timeLength = 19;

export class Consumer {
  readonly filter: string;
  readonly #world: World;
  readonly #stream: () => Stream;
  readonly #streamName: string;
  readonly #pulls: Pull[] = [];
  #next: number;
  #delivered = 0;

  constructor(world: World, streamName: string, stream: () => Stream, filter: string, firstSequence: number) {
    this.#world = world;
    this.#streamName = streamName;
    this.#stream = stream;
    this.filter = filter;
    this.#next = firstSequence;
  }

  get pending(): number {
    return this.#stream().pending(this.#next, this.filter);
  }

  pull(request: PullRequest, inbox: PullInbox): void {
    const pull: Pull = {
      inbox,
      request,
      messagesLeft: request.messages,
      bytesLeft: request.maxBytes ?? Infinity,
      cancelExpiry: () => undefined,
      cancelHeartbeat: () => undefined,
    };
    pull.cancelExpiry = this.#world.inside(request.expiresMs, () => this.#end(pull, 408, 'Request Timeout'));
    this.#pulls.push(pull);
    this.#beat(pull);
    this.pump();
  }

  /** Delivers what there is to who asked. */
  pump(): void {
    for (;;) {
      const pull = this.#pulls[0];
      if (pull === undefined) return;
      const message = this.#stream().next(this.#next, this.filter);
      if (message === undefined) return;
      const pending = this.#stream().pending(message.sequence + 1, this.filter);
      const { subject, data, sequence } = message;
      const numbers = `${sequence}.${this.#delivered + 1}.${pending}`.length + timeLength;
      const reply = `$JS.ACK.${this.#streamName}.1...`.length + nameLength + numbers;
      const bytes = subject.length + reply + data.length;
      const headerBytes = message.bytes - 34 - subject.length - data.length;
      if (bytes + Math.max(0, headerBytes) > pull.bytesLeft) {
        this.#end(pull, 409, 'Message Size Exceeds MaxBytes');
        continue;
      }
      this.#next = sequence + 1;
      this.#delivered++;
      pull.messagesLeft--;
      pull.bytesLeft -= bytes + Math.max(0, headerBytes);
      pull.inbox.delivered({ sequence, delivered: this.#delivered, pending, subject, data, bytes });
      if (pull.messagesLeft <= 0 || pull.bytesLeft <= 0) this.#remove(pull);
      else this.#beat(pull);
    }
  }

  /** Who waits is told when it went with an order, and hears nothing when it went with its server. */
  close(told: boolean): void {
    for (const pull of [...this.#pulls]) {
      if (told) this.#end(pull, 409, 'Consumer Deleted');
      else this.#remove(pull);
    }
  }

  #beat(pull: Pull): void {
    pull.cancelHeartbeat();
    pull.cancelHeartbeat = this.#world.inside(pull.request.heartbeatMs, () => {
      pull.inbox.status(100, 'Idle Heartbeat', this.#delivered);
      this.#beat(pull);
    });
  }

  #end(pull: Pull, code: number, description: string): void {
    this.#remove(pull);
    pull.inbox.status(code, description);
  }

  #remove(pull: Pull): void {
    pull.cancelExpiry();
    pull.cancelHeartbeat();
    const at = this.#pulls.indexOf(pull);
    if (at >= 0) this.#pulls.splice(at, 1);
  }
}
