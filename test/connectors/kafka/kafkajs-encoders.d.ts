/** The encoders and decoders of kafkajs that tests compare with. */

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(bytes: Buffer);
    readonly offset: number;
  }
}

declare module 'kafkajs/src/protocol/recordBatch/record/v0/index.js' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js';
  export default function encodeRecord(record: {
    offsetDelta: number;
    timestampDelta: number;
    key: Buffer | null;
    value: Buffer | null;
    headers: Record<string, Buffer | Buffer[]>;
  }): Encoder;
}

declare module 'kafkajs/src/protocol/recordBatch/v0/index.js' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js';
  export function RecordBatch(batch: {
    compression?: number;
    firstOffset: number;
    firstTimestamp: number;
    maxTimestamp: number;
    lastOffsetDelta: number;
    transactional?: boolean;
    producerId?: number;
    records: readonly Encoder[];
  }): Promise<Encoder>;
}

declare module 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js' {
  import type Decoder from 'kafkajs/src/protocol/decoder.js';
  export default function decodeMessages(decoder: Decoder): Promise<
    readonly {
      offset: string;
      timestamp: string;
      key: Buffer | null;
      value: Buffer | null;
      headers: Record<string, Buffer | Buffer[]>;
    }[]
  >;
}
