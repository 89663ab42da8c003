/**
 * Clients that send records by HTTP, and the Service in front of the pods. The reader behind it is the real one
 * (connectors/http/reader.ts).
 */
import { assertNever } from '../../../model/errors.ts';
import { HttpReader } from '../../../connectors/http/reader.ts';
import { bodyDigest, tokenOf, type RequestKey } from '../../../connectors/http/idempotency.ts';
import type { Outcome } from '../../../connectors/http/request-batch.ts';
import type { Position } from '../../../stream/record-batch.ts';
import type { Ledger, LedgerInput } from '../check/ledger.ts';
import type { Machine } from '../kernel/machine.ts';
import type { Random } from '../kernel/random.ts';
import type { World } from '../kernel/world.ts';
import { textOf } from '../plant/record.ts';

interface OpenSlot {
  readonly machine: Machine;
  readonly reader: HttpReader;
}

export interface HttpRequest {
  readonly inputs: readonly LedgerInput[];
  /** Absent: sent once, and never again. */
  readonly key: string | undefined;
}

type Answer = 'accepted' | 'refused' | 'nothing';

const clientTimeoutMs = 20_000;
/** The window in which a key is known: a client that goes on longer is on its own. */
const keyWindowMs = 100_000;
export const keyKeptMs = 120_000;

export class HttpService {
  readonly #pid: string;
  readonly #source: string;
  readonly #world: World;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #open = new Set<OpenSlot>();
  /** Requests that are not settled one way or the other. */
  unsettled = 0;

  constructor(pid: string, source: string, world: World, ledger: Ledger) {
    this.#pid = pid;
    this.#source = source;
    this.#world = world;
    this.#random = world.random.fork(`http ${source}`);
    this.#ledger = ledger;
  }

  openReader(slot: number, position: Position | undefined, machine: Machine): HttpReader {
    const reader = new HttpReader(`${this.#source}-${slot}`, position, () => void this.#open.delete(open));
    const open: OpenSlot = { machine, reader };
    this.#open.add(open);
    machine.onDeath(() => void this.#open.delete(open));
    return reader;
  }

  send(request: HttpRequest): void {
    this.unsettled++;
    this.#attempt(request, this.#world.now, 0);
  }

  #attempt(request: HttpRequest, since: number, attempt: number): void {
    this.#once(request, (answer) => {
      if (answer === 'accepted') {
        this.unsettled--;
        for (const { id } of request.inputs) this.#ledger.acknowledge(id);
        return;
      }
      const mayRepeat = request.key !== undefined || answer === 'refused';
      if (!mayRepeat || this.#world.now - since > keyWindowMs) {
        this.unsettled--;
        for (const input of request.inputs) input.mayBeMissing = true;
        return;
      }
      const wait = Math.min(2_000, 100 * 2 ** attempt) * this.#random.between(0.5, 1);
      this.#world.after(wait, () => this.#attempt(request, since, attempt + 1));
    });
  }

  #once(request: HttpRequest, tell: (answer: Answer) => void): void {
    let isTold = false;
    const answer = (what: Answer) => {
      if (isTold) return;
      isTold = true;
      cancel();
      tell(what);
    };
    const cancel = this.#world.after(clientTimeoutMs, () => answer('nothing'));
    const machines = [...new Set([...this.#open].map(({ machine }) => machine))];
    const machine = machines.length === 0 ? undefined : this.#random.pick(machines);
    if (machine === undefined) {
      this.#world.after(1, () => answer('refused'));
      return;
    }
    // The connection ends with the pod; a frozen pod's kernel takes the request, and the pod sees it when it wakes.
    machine.onDeath(() => void this.#world.after(1, () => answer('nothing')));
    machine.after(this.#random.between(0.2, 3), () => this.#take(machine, request, answer));
  }

  #take(machine: Machine, { inputs, key }: HttpRequest, answer: (what: Answer) => void): void {
    const slots = [...this.#open].filter((open) => open.machine === machine && !open.reader.isBlocked);
    const back = (what: Answer) => void this.#world.after(this.#random.between(0.2, 3), () => answer(what));
    if (slots.length === 0) return back('refused');
    const { body, ranges } = bodyOf(inputs);
    this.#random.pick(slots).reader.push({
      body,
      ranges,
      receivedAt: machine.clock.now(),
      key: key === undefined ? undefined : this.#keyOf(key, body),
      settle: (outcome: Outcome) => back(answerTo(outcome)),
    });
  }

  #keyOf(key: string, body: Uint8Array): RequestKey {
    return {
      token: tokenOf(this.#pid, this.#source, key),
      body: bodyDigest(body, 'lines'),
      forSeconds: keyKeptMs / 1_000,
    };
  }
}

/** What the door answers to each outcome: 202, 429, 503. */
function answerTo({ outcome }: Outcome): Answer {
  switch (outcome) {
    case 'stored':
    case 'duplicate':
      return 'accepted';
    case 'full':
    case 'keysFull':
      return 'refused';
    // Each request here has a key of its own: were it taken for another, its records would be missing in the end.
    case 'keyReused':
    case 'unknown':
      return 'nothing';
    default:
      return assertNever(outcome);
  }
}

function bodyOf(inputs: readonly LedgerInput[]) {
  const texts = inputs.map(textOf);
  const start = new Int32Array(texts.length);
  const end = new Int32Array(texts.length);
  let at = 0;
  texts.forEach((text, index) => {
    start[index] = at;
    end[index] = at + text.length;
    at += text.length + 1;
  });
  return { body: Buffer.from(texts.join('\n')), ranges: { start, end } };
}
