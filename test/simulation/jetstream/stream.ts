/**
 * One stream of the model, as nats-server keeps it: messages, bounds, what is stored together, expiry.
 *
 * It knows no network and no time: it is told what time it is. What it answers is held to nats-server by
 * ../conformance.
 */
import type { StreamSettings } from '../../../stream/jetstream-port.ts';
import { matcher } from './subjects.ts';

export interface Message {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly storedAt: number;
  readonly expiresAt: number | undefined;
  readonly bytes: number;
}

export interface Incoming {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly expectLast: number | undefined;
  readonly ttlMs: number | undefined;
  /** J3. */
  readonly alongside?: Incoming | undefined;
}

export type StoreAnswer =
  | { readonly kind: 'stored'; readonly sequence: number }
  | { readonly kind: 'refused'; readonly code: number; readonly text: string };

const markerTtlHeader = 'Nats-TTL';

export class Stream {
  config: StreamSettings;
  /** Rises by one with each stream of the name: what tells this one from one that was made again. */
  readonly created: number;
  /** By sequence, rising. */
  messages: Message[] = [];
  lastSequence: number;
  bytes = 0;
  /** The last message of each subject. */
  readonly #last = new Map<string, Message>();
  readonly #counts = new Map<string, number>();
  /** No message expires before. */
  #soonest = Infinity;

  constructor(config: StreamSettings, created: number) {
    this.config = config;
    this.created = created;
    this.lastSequence = (config.first_seq ?? 1) - 1;
  }

  get firstSequence(): number {
    return this.messages[0]?.sequence ?? this.lastSequence + 1;
  }

  get subjects(): number {
    return this.#last.size;
  }

  copy(): Stream {
    const copy = new Stream(this.config, this.created);
    copy.restore(this.messages, this.lastSequence);
    return copy;
  }

  /** What a server finds on its disk when it starts. */
  restore(messages: readonly Message[], lastSequence: number): void {
    this.messages = [];
    this.bytes = 0;
    this.#last.clear();
    this.#counts.clear();
    for (const message of messages) this.#put(message);
    this.lastSequence = lastSequence;
  }

  store(incoming: Incoming, now: number): StoreAnswer {
    this.expire(now);
    const all = incoming.alongside === undefined ? [incoming] : [incoming.alongside, incoming];
    for (const { subject, expectLast } of all) {
      const last = this.#last.get(subject)?.sequence ?? 0;
      if (expectLast !== undefined && expectLast !== last) return refused(10071, `wrong last sequence: ${last}`);
    }
    const { max_bytes: maxBytes = -1, discard } = this.config;
    const messages = all.map((one, index) => this.#messageOf(one, now, this.lastSequence + 1 + index));
    const bytes = messages.reduce((sum, one) => sum + one.bytes, 0);
    if (discard === 'new' && maxBytes > 0 && this.bytes + bytes > maxBytes) {
      return refused(10077, 'maximum bytes exceeded');
    }
    for (const message of messages) {
      this.lastSequence = message.sequence;
      this.#put(message);
      this.#makeRoom(message.subject);
    }
    return { kind: 'stored', sequence: this.lastSequence };
  }

  get(sequence: number): Message | undefined {
    const at = this.#indexOf(sequence);
    const message = this.messages[at];
    return message?.sequence === sequence ? message : undefined;
  }

  lastOf(subject: string): Message | undefined {
    if (!/[*>]/.test(subject)) return this.#last.get(subject);
    const matches = matcher(subject);
    let found: Message | undefined;
    for (const message of this.#last.values()) {
      if (matches(message.subject) && message.sequence > (found?.sequence ?? 0)) found = message;
    }
    return found;
  }

  /** In the order of their sequences. */
  lastOfEach(filter: string): Message[] {
    const matches = matcher(filter);
    return [...this.#last.values()].filter(({ subject }) => matches(subject)).sort((a, b) => a.sequence - b.sequence);
  }

  /** The first message at or after `sequence` that the filter matches. */
  next(sequence: number, filter: string): Message | undefined {
    const matches = matcher(filter);
    for (let at = this.#indexOf(sequence); at < this.messages.length; at++) {
      const message = this.messages[at]!;
      if (matches(message.subject)) return message;
    }
    return undefined;
  }

  /** How many messages from `sequence` on the filter matches. */
  pending(sequence: number, filter: string): number {
    const matches = matcher(filter);
    let count = 0;
    for (let at = this.#indexOf(sequence); at < this.messages.length; at++) {
      if (matches(this.messages[at]!.subject)) count++;
    }
    return count;
  }

  /** Removes what the filter matches below `before`. */
  purge(filter: string | undefined, before: number = Infinity): number {
    const matches = filter === undefined ? () => true : matcher(filter);
    return this.#removeWhere((message) => message.sequence < before && matches(message.subject));
  }

  update(config: StreamSettings): void {
    this.config = { ...this.config, ...config };
    this.#soonest = -Infinity;
    this.#makeRoom(undefined);
  }

  /** When the next message expires. */
  get nextExpiry(): number | undefined {
    if (this.#soonest === Infinity) return undefined;
    this.#soonest = this.messages.reduce((soonest, message) => Math.min(soonest, this.#expiryOf(message)), Infinity);
    return this.#soonest === Infinity ? undefined : this.#soonest;
  }

  #expiryOf({ expiresAt = Infinity, storedAt }: Message): number {
    const maxAge = ms(this.config.max_age);
    return maxAge > 0 ? Math.min(expiresAt, storedAt + maxAge) : expiresAt;
  }

  /** Removes what has expired; the last message of a subject leaves a marker, where the stream is made so. */
  expire(now: number): boolean {
    if (this.#soonest > now) return false;
    const isOver = (message: Message) => this.#expiryOf(message) <= now;
    if (!this.messages.some(isOver)) return false;
    const markers = [...this.#last.values()].filter((message) => isOver(message) && !isMarker(message));
    this.#removeWhere(isOver);
    const ttl = ms(this.config.subject_delete_marker_ttl);
    if (ttl <= 0) return true;
    for (const { subject } of markers) {
      if (!this.#last.has(subject)) this.#mark(subject, ttl, now);
    }
    return true;
  }

  #mark(subject: string, ttlMs: number, now: number): void {
    const headers = {
      [markerReason]: 'MaxAge',
      [markerTtlHeader]: `${ttlMs / 1_000}s`,
      'Nats-Rollup': 'sub',
    };
    const incoming: Incoming = {
      subject,
      headers,
      data: new Uint8Array(),
      expectLast: undefined,
      ttlMs,
    };
    const message = this.#messageOf(incoming, now, this.lastSequence + 1);
    this.lastSequence = message.sequence;
    this.#put(message);
  }

  #messageOf({ subject, data, headers, expectLast, ttlMs }: Incoming, now: number, sequence: number): Message {
    const all: Record<string, string> = {
      ...headers,
      ...(expectLast === undefined ? {} : { 'Nats-Expected-Last-Subject-Sequence': String(expectLast) }),
      ...(ttlMs === undefined || headers[markerTtlHeader] !== undefined
        ? {}
        : { [markerTtlHeader]: `${ttlMs / 1_000}s` }),
    };
    const mayExpire = ttlMs !== undefined && this.config.allow_msg_ttl === true;
    return {
      sequence,
      subject,
      data,
      headers: all,
      storedAt: now,
      expiresAt: mayExpire ? now + ttlMs : undefined,
      bytes: this.#sizeOf(subject, data, all),
    };
  }

  /** As the file store and the memory store count. */
  #sizeOf(subject: string, data: Uint8Array, headers: Readonly<Record<string, string>>): number {
    const names = Object.keys(headers);
    let headerBytes = names.length === 0 ? 0 : 'NATS/1.0\r\n\r\n'.length;
    for (const name of names) headerBytes += name.length + headers[name]!.length + ': \r\n'.length;
    const payload = subject.length + data.length + headerBytes;
    if (this.config.storage === 'memory') return payload + 16;
    return payload + 30 + (headerBytes > 0 ? 4 : 0);
  }

  #put(message: Message): void {
    this.messages.push(message);
    this.#soonest = Math.min(this.#soonest, this.#expiryOf(message));
    this.bytes += message.bytes;
    this.#last.set(message.subject, message);
    this.#counts.set(message.subject, (this.#counts.get(message.subject) ?? 0) + 1);
  }

  #makeRoom(subject: string | undefined): void {
    const { max_msgs_per_subject: perSubject = -1, max_bytes: maxBytes = -1, discard } = this.config;
    if (perSubject > 0 && subject !== undefined) {
      let over = (this.#counts.get(subject) ?? 0) - perSubject;
      if (over > 0) this.#removeWhere((message) => message.subject === subject && over-- > 0);
    }
    if (discard === 'new' || maxBytes <= 0) return;
    let over = this.bytes - maxBytes;
    if (over <= 0) return;
    this.#removeWhere((message) => {
      if (over <= 0) return false;
      over -= message.bytes;
      return true;
    });
  }

  #removeWhere(isGone: (message: Message) => boolean): number {
    const kept: Message[] = [];
    const touched = new Set<string>();
    for (const message of this.messages) {
      if (!isGone(message)) {
        kept.push(message);
        continue;
      }
      this.bytes -= message.bytes;
      touched.add(message.subject);
      this.#counts.set(message.subject, (this.#counts.get(message.subject) ?? 1) - 1);
    }
    const removed = this.messages.length - kept.length;
    if (removed === 0) return 0;
    this.messages = kept;
    for (const subject of touched) {
      if ((this.#counts.get(subject) ?? 0) > 0) continue;
      this.#counts.delete(subject);
      this.#last.delete(subject);
    }
    return removed;
  }

  /** Of the first message whose sequence is at least this. */
  #indexOf(sequence: number): number {
    let low = 0;
    let high = this.messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.messages[middle]!.sequence < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export const markerReason = 'Nats-Marker-Reason';

function isMarker(message: Message): boolean {
  return message.headers[markerReason] !== undefined;
}

function refused(code: number, text: string): StoreAnswer {
  return { kind: 'refused', code, text };
}

/** The server's configuration counts nanoseconds. */
export function ms(nanoseconds: number | bigint | undefined): number {
  return nanoseconds === undefined ? 0 : Number(nanoseconds) / 1e6;
}
