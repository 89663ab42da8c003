/**
 * The guards, each taken away in turn. With one of them gone some run must break, else it is no guard, or no check looks
 * where it guards.
 *
 * A mutation changes the text of one file while a process of the simulation loads it (./mutate.ts): the code that ships
 * knows nothing of it. `from` must be found exactly once, so a table that no longer fits the code says so.
 */
export interface Mutation {
  readonly guard: string;
  /** What is missing then. */
  readonly without: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const mutations: readonly Mutation[] = [
  {
    guard: 'E1',
    without: 'the wait for the frame in flight',
    file: 'stream/ingest-loop.ts',
    from: 'await outlet.ready();\n    if (refusals !== this.#refusals) return;',
    to: '',
  },
  {
    guard: 'E2',
    without: 'the position in the frame',
    file: 'stream/ingest-loop.ts',
    from: 'builder.finish(position, clock.now()',
    to: 'builder.finish(null, clock.now()',
  },
  {
    guard: 'E3',
    without: 'reading on from the tail',
    file: 'stream/ingest-slot.ts',
    from: 'options.openReader(tail.openedAt, losses)',
    to: 'options.openReader(undefined, losses)',
  },
  {
    guard: 'E4',
    without: 'the expected last sequence',
    file: 'stream/fenced-subject.ts',
    from: 'expectLast: this.#sequence,',
    to: '',
  },
  {
    guard: 'E5',
    without: 'the frame that moves a position without records',
    file: 'stream/ingest-loop.ts',
    from: 'this.#hasStored ? progressMs : 0',
    to: 'this.#hasStored ? 1e9 : 0',
  },
  {
    guard: 'E6',
    without: 'the smallest of the committed positions: the largest is taken',
    file: 'stream/sweep.ts',
    from: 'return Math.min(...bounds);',
    to: 'return Math.max(...bounds);',
  },
  {
    guard: 'E6',
    without: 'the last frame, which stays',
    file: 'stream/sweep.ts',
    from: 'const first = Math.min(await firstToStay(streams, target), lastSequence);',
    to: 'const first = (await firstToStay(streams, target)) + 1;\n  lastSequence = 0;',
  },
  {
    guard: 'E6',
    without: 'the look whether the last frame of the writer is still there',
    file: 'stream/sweep.ts',
    from: 'const last = await streams.getMessage(stream, { last_by_subj: target.subject });\n  if (last === null || last.seq < lastSequence) return 0;',
    to: '',
  },
  {
    guard: 'E6',
    without: 'the look whether the committed frame is the one that is there',
    file: 'stream/sweep.ts',
    from: 'frame?.subject === subject && checkOf(frame.data) === taken.check ? taken.upTo : 0',
    to: 'frame === null ? taken.upTo : taken.upTo',
  },
  {
    guard: 'E7',
    without: 'waiting for room: a frame that is refused counts as stored',
    file: 'stream/fenced-subject.ts',
    from: "      case 'full':\n        return",
    to: "      case 'full':\n        return { outcome: 'stored', sequence: this.#sequence, clean: false };\n        return",
  },
  {
    guard: 'E8',
    without: 'the look at the count of deliveries: a gap is passed over',
    file: 'stream/shard-pull.ts',
    from: 'if (delivered !== this.#delivered + 1) {',
    to: 'if (delivered < 0) {',
  },
  {
    guard: 'E8',
    without: 'the look at the sequence: a frame is taken twice',
    file: 'stream/shard-reader.ts',
    from: 'if (frame.sequence < this.#next) return;',
    to: '',
  },
  {
    guard: 'A1',
    without: 'the look for its own message when an answer is missing: it counts as stored',
    file: 'stream/fenced-subject.ts',
    from: "      case 'unknown':\n        append.isCertain = false;",
    to: "      case 'unknown':\n        return { outcome: 'stored', sequence: this.#sequence, clean: false };\n        append.isCertain = false;",
  },
  {
    guard: 'G1',
    without: 'the acknowledgement after the store: it comes before',
    file: 'stream/ingest-outlet.ts',
    from: 'const appended = await writer.append(',
    to: 'reader.acknowledge(position);\n    const appended = await writer.append(',
  },
  {
    guard: 'K1',
    without: 'the repetition of a batch that was begun',
    file: 'stream/sink-loop.ts',
    from: 'this.#committed = log.committed;\n      return begun;',
    to: 'this.#committed = log.committed;\n      return undefined;',
  },
  {
    guard: 'K1',
    without: 'the token of the range: each attempt has another',
    file: 'stream/sink-write.ts',
    from: 'sinkSlot.write(this.#rows, this.#id,',
    to: 'sinkSlot.write(this.#rows, { ...this.#id, token: `${this.#id.token}/${this.#options.random()}` },',
  },
  {
    guard: 'K2',
    without: 'the dead letters before the commit: the commit comes first',
    file: 'stream/sink-loop.ts',
    from: 'const covered = coveredIn(epoch, deadLetters.covers);',
    to: "const covered = coveredIn(epoch, deadLetters.covers);\n    await log.append({ kind: 'commit', to: id.to }, signals.abort);",
  },
  {
    guard: 'K3',
    without: 'the next attempt: an end that is unknown counts as stored',
    file: 'stream/sink-write.ts',
    from: "case 'unknown':\n        this.#mayBeStored = true;",
    to: "case 'unknown':\n        return { kind: 'done' };",
  },
  {
    guard: 'K4',
    without: 'the fence of the commit log',
    file: 'stream/fenced-subject.ts',
    from: 'expectLast: this.#sequence,',
    to: "...(this.#options.subject.includes('.commits.') ? {} : { expectLast: this.#sequence }),",
  },
  {
    guard: 'K5',
    without: 'the look at the stop before a batch is announced',
    file: 'stream/sink-loop.ts',
    from: 'if (signals.stop.aborted) return false;',
    to: '',
  },
  {
    guard: 'K5',
    without: 'the look at the stop before the intent',
    file: 'stream/sink-write.ts',
    from: 'signals.stop.throwIfAborted();\n    let mark',
    to: 'let mark',
  },
  {
    guard: 'D1',
    without: 'the look whether the dead letters of a range are stored',
    file: 'stream/sink-loop.ts',
    from: 'sequence === null || sequence > covered',
    to: 'sequence === null || sequence > 0',
  },
  {
    guard: 'V1',
    without: 'the intent before the attempt',
    file: 'stream/sink-write.ts',
    from: "await this.#log({ kind: 'intent', ...this.#id, rows, bytes, mark, at: this.#options.clock.now() });",
    to: "this.#intent = { kind: 'intent', ...this.#id, rows, bytes, mark, at: this.#options.clock.now() };",
  },
  {
    guard: 'Q1',
    without: 'the bound of the keys that an edge keeps',
    file: 'stream/key-share.ts',
    from: 'if (this.#left === 0) return { hasRoom: false, most: this.#most };',
    to: '',
  },
  {
    guard: 'N1',
    without: 'the wait for the run of the slot before',
    file: 'stream/slot-runner.ts',
    from: 'const done = Promise.all(before).then(',
    to: 'const done = Promise.resolve(before).then(',
  },
  {
    guard: 'E9',
    without: 'the plan of the last frame: the pod names its own',
    file: 'stream/edge-writer.ts',
    from: 'plan: Math.max(plan, this.#link.plan)',
    to: 'plan',
  },
  {
    guard: 'E9',
    without: 'the plan that a frame names: a reader applies its own',
    file: 'stream/stage-views.ts',
    from: 'return this.#views.get(generation) ??',
    to: 'return this.#views.get(this.#options.plan.pipeline.generation) ??',
  },
  {
    guard: 'E9',
    without: 'nothing for a stage that the plan of a frame does not have',
    file: 'stream/stage-views.ts',
    from: 'found === undefined ? null : viewOf(found, programOf)',
    to: 'viewOf(found ?? stage, programOf)',
  },
  {
    guard: 'E9',
    without: 'the wait until every writer names the plan',
    file: 'stream/announce.ts',
    from: 'if (planIn(tail.frame) < generation) behind.push(tail);',
    to: 'if (planIn(tail.frame) < 0) behind.push(tail);',
  },
  {
    guard: 'E9',
    without: 'the plan, stored before a frame names it',
    file: 'stream/members.ts',
    from: 'await storePlan(streams, plan, release);\n  for',
    to: 'for',
  },
  {
    guard: 'E9',
    without: 'keeping plans of which the edge holds a frame',
    file: 'stream/retire.ts',
    from: 'await forgetPlansBefore(streams, pid, oldest);',
    to: 'await forgetPlansBefore(streams, pid, inForce.generation);',
  },
  {
    guard: 'E10',
    without: 'waiting for a reader that has committed nothing',
    file: 'stream/sweep.ts',
    from: 'if (last === undefined) return 0;',
    to: 'if (last === undefined) return Infinity;',
  },
  {
    guard: 'E10',
    without: 'registration: a pod reads and writes before it is known',
    file: 'stream/edge-opening.ts',
    from: 'registry === undefined || !belongs(registry)',
    to: 'registry === undefined',
  },
  {
    guard: 'E10',
    without: 'the last frame of a source that leaves',
    file: 'stream/retire.ts',
    from: 'for (const place of placesOf(plan, edge, registry, sources)) await fence(act, place);',
    to: '',
  },
  {
    guard: 'E10',
    without: 'the wait until what leaves has read, and was read, to the end',
    file: 'stream/retire.ts',
    from: 'const leaving = await leavingOf(streams, plan);\n  const behind',
    to: 'const leaving: Leaving = { readers: [], sources: [] };\n  const behind',
  },
  {
    guard: 'E10',
    without: 'the first position of a reader at the end of the edge: what an earlier one left counts',
    file: 'stream/members.ts',
    from: 'if (last !== null && isOld) return;',
    to: 'if (last !== null) return;',
  },
  {
    guard: 'E10',
    without: 'the note that a source has left, before its frames go',
    file: 'stream/retire.ts',
    from: 'gone: { ...now.gone, [source]: upTo }',
    to: 'gone: now.gone',
  },
  {
    guard: 'I6',
    without: 'the look whether a frame follows the one before it',
    file: 'stream/frame-chain.ts',
    from: 'const isChecked = link !== undefined && sequence > since;',
    to: 'const isChecked = link !== undefined && sequence < 0;',
  },
  {
    guard: 'I6',
    without: 'the look at the frames behind a position, before it counts',
    file: 'stream/reader-start.ts',
    from: 'return lost(wordsFor(writer, head[0], tail), `frame ${head[0]} of ${writer} is not there`);',
    to: 'continue;',
  },
  {
    guard: 'I6',
    without: 'the look whether the last frame of a writer is the last that was taken',
    file: 'stream/writer-tail.ts',
    from: 'if (problem === undefined) {',
    to: '{',
  },
  {
    guard: 'C6',
    without: 'the checksum of the frames of a range that was begun',
    file: 'stream/sink-loop.ts',
    from: 'check !== undefined && check !== batch.check',
    to: 'check !== undefined && check < 0',
  },
  {
    guard: 'K6',
    without: 'the look whether the sink has gone back',
    file: 'stream/sink-position.ts',
    from: 'stored.position >= committed) {',
    to: 'stored.position >= 0) {',
  },
];

export function nameOf({ guard, without }: Mutation): string {
  return `${guard} without ${without}`;
}
