/** The inner modules of kafkajs 2.2.4 that `cluster.ts` uses, typed as far as it uses them. */

declare module 'kafkajs/src/broker/index.js' {
  import type ConnectionPool from 'kafkajs/src/network/connectionPool.js';
  import type { KafkaLogger } from 'kafkajs/src/loggers/index.js';

  export type ApiVersions = Readonly<Record<number, { minVersion: number; maxVersion: number }>>;

  export default class Broker {
    constructor(options: { connectionPool: ConnectionPool; logger: KafkaLogger; allowAutoTopicCreation: boolean });
    readonly connectionPool: ConnectionPool;
    readonly versions: ApiVersions | null;
    connect(): Promise<void>;
    isConnected(): boolean;
    listOffsets(request: {
      isolationLevel: number;
      topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
    }): Promise<{
      responses: readonly {
        topic: string;
        partitions: readonly { partition: number; errorCode: number; offset: string }[];
      }[];
    }>;
    findGroupCoordinator(request: { groupId: string; coordinatorType: number }): Promise<{
      coordinator: { nodeId: number; host: string; port: number };
    }>;
    offsetCommit(request: {
      groupId: string;
      groupGenerationId: number;
      memberId: string;
      topics: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[];
    }): Promise<unknown>;
  }
}

declare module 'kafkajs/src/network/connectionPool.js' {
  import type { Socket } from 'node:net';
  import type { ConnectionOptions } from 'node:tls';
  import type { ApiVersions } from 'kafkajs/src/broker/index.js';
  import type { KafkaLogger } from 'kafkajs/src/loggers/index.js';

  export interface ProtocolRequest<T> {
    readonly request: {
      readonly apiKey: number;
      readonly apiVersion: number;
      readonly apiName: string;
      readonly encode: () => Promise<unknown>;
    };
    readonly response: { readonly decode: (payload: Buffer) => Promise<T>; readonly parse: (decoded: T) => Promise<T> };
    readonly requestTimeout?: number;
  }

  export default class ConnectionPool {
    constructor(options: {
      host: string;
      port: number;
      ssl: ConnectionOptions | null;
      sasl: { mechanism: string; username: string; password: string } | null;
      clientId: string;
      socketFactory: (to: {
        host: string;
        port: number;
        ssl: ConnectionOptions | null;
        onConnect: () => void;
      }) => Socket;
      connectionTimeout: number;
      requestTimeout: number;
      enforceRequestTimeout: boolean;
      maxInFlightRequests: number | null;
      logger: KafkaLogger;
    });
    send<T>(request: ProtocolRequest<T>): Promise<T>;
    setVersions(versions: ApiVersions): void;
    setSupportAuthenticationProtocol(isSupported: boolean): void;
    destroy(): Promise<void>;
  }
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests(): void;
  }
}

declare module 'kafkajs/src/loggers/index.js' {
  export interface KafkaLogger {
    namespace(name: string): KafkaLogger;
  }
  export interface KafkaLogEntry {
    readonly namespace: string;
    readonly log: { readonly message: string; readonly broker?: string };
  }
  export function createLogger(options: {
    level: number;
    logCreator: () => (entry: KafkaLogEntry) => void;
  }): KafkaLogger;
  export const LEVELS: { readonly INFO: number; readonly DEBUG: number };
}

declare module 'kafkajs/src/protocol/requests/fetch/v11/request.js' {
  import type { ProtocolRequest } from 'kafkajs/src/network/connectionPool.js';
  export default function fetchRequest(options: {
    replicaId: number;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    isolationLevel: number;
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number; fetchOffset: string; maxBytes: number }[];
    }[];
  }): ProtocolRequest<unknown>['request'];
}

declare module 'kafkajs/src/protocol/requests/metadata/v6/request.js' {
  import type { ProtocolRequest } from 'kafkajs/src/network/connectionPool.js';
  export default function metadataRequest(options: {
    topics: readonly string[];
    allowAutoTopicCreation: boolean;
  }): ProtocolRequest<unknown>['request'];
}

declare module 'kafkajs/src/protocol/requests/metadata/v6/response.js' {
  export interface Metadata {
    readonly clientSideThrottleTime: number;
    readonly brokers: readonly { nodeId: number; host: string; port: number }[];
    readonly topicMetadata: readonly {
      topicErrorCode: number;
      topic: string;
      partitionMetadata: readonly { partitionErrorCode: number; partitionId: number; leader: number }[];
    }[];
  }
  export function decode(payload: Buffer): Promise<Metadata>;
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    readonly buffer: Buffer;
    writeBuffer(bytes: Buffer): this;
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  export function createErrorFromCode(code: number): Error & { readonly type: string; readonly code: number };
}
