/**
 * What a connector is: at most one source and one sink, each with a schema, and code that is loaded only in the pod
 * that runs it. `./registry.ts` lists all of them; nothing else in Millrace knows a connector by name.
 */
import type { WallClock } from '../model/clock.ts';
import type { Identity } from '../model/credentials.ts';
import type { Logger } from 'pino';
import type { Position } from '../stream/record-batch.ts';
import type { RowBufferPort, SinkSlotPort } from '../stream/sink-port.ts';
import type { SourceLossPort, SourceReaderPort } from '../stream/source-port.ts';

export interface ConnectorContext {
  /** Name of the source or sink in the spec, for messages. */
  readonly name: string;
  readonly pipeline: { readonly name: string; readonly namespace: string; readonly uid: string; readonly pid: string };
  /** For messages: the identity under which it logs in to the external system. */
  readonly identity: Identity;
  readonly log: Logger;
  readonly clock: WallClock;
  /** Address on which this pod may listen. */
  readonly bindAddress: string;
  /** Value, key and headers of the largest record that can be stored, as NATS is configured now. */
  readonly maxRecordBytes: () => number;
  /** How many bytes of values, for this many records, can be stored as one piece. */
  readonly maxTogetherBytes: (records: number) => number;
  /**
   * Why slots of this pod take nothing in, in a sentence that may leave the pod: the reason that only a person can end before
   * all others. Undefined: none of them waits.
   */
  readonly waitsFor: () => string | undefined;
  /** Ends when the pod stops. */
  readonly signal: AbortSignal;
}

// -- sources -----------------------------------------------------------------------------------------------------

export interface SourceConnector<Config> {
  /**
   * Connects and checks what can be checked (address, credentials, topic). Throws a MillraceError whose
   * handling is `retry` for everything that a person can repair without changing the spec; the stage retries.
   */
  connect(config: Config, context: ConnectorContext & { readonly slots: number }): Promise<Source>;
}

export interface Source {
  /**
   * Opens one slot's share of the source just after `position`; without one, where the spec says (startFrom). A
   * position that the source does not have any more is `losses`' to decide about, unless the spec does.
   */
  open(slot: number, position: Position | undefined, losses: SourceLossPort): Promise<SourceReader>;
  close(): Promise<void>;
}

/** One slot's share of a source: see `stream/source-port.ts`. */
export type SourceReader = SourceReaderPort;

// -- sinks -------------------------------------------------------------------------------------------------------

export interface SinkConnector<Config> {
  connect(config: Config, context: SinkContext): Promise<Sink>;
}

export interface SinkContext extends ConnectorContext {
  /** How many slots write to this sink at the same time. */
  readonly slots: number;
}

export interface Sink {
  open(slot: SinkSlotId): Promise<SinkSlot>;
  close(): Promise<void>;
}

export interface SinkSlotId {
  readonly pipelineUid: string;
  readonly stage: string;
  readonly slot: number;
}

/** One slot of a sink: see `stream/sink-port.ts`, which defines the outcomes of an attempt. */
export type SinkSlot = SinkSlotPort;

/** The rows of one batch, encoded. */
export type RowBuffer = RowBufferPort;

// -- registry entries --------------------------------------------------------------------------------------------

/** The code of a connector, loaded by the pod that needs it. */
export interface ConnectorModule {
  readonly source?: SourceConnector<never>;
  readonly sink?: SinkConnector<never>;
}
