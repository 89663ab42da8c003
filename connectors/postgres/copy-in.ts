/**
 * `COPY … FROM STDIN` over pg's own connection: one query object that answers the server's request for data.
 *
 * What it relies on in pg (8.x): a query object is handed `submit`, `handle…` calls of its connection, and the
 * connection has `query`, `sendCopyFromChunk` and `endCopyFrom`. pg's own types name only `submit`.
 */
import type pg from 'pg';

declare module 'pg' {
  interface Connection {
    query(text: string): void;
    sendCopyFromChunk(chunk: Buffer): void;
    endCopyFrom(): void;
  }
}

/** Keeps pg's copy of a piece small; the server accepts any size. */
const pieceBytes = 1 << 20;

/** Resolves when the server has taken all rows; rejects with its error, and the connection stays usable. */
export function copyIn(client: pg.Client, statement: string, rows: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyIn(statement, rows, (error) => (error ? reject(error) : resolve())));
  });
}

class CopyIn implements pg.Submittable {
  readonly #statement: string;
  readonly #rows: Buffer;
  /** pg sets its timeout on it. */
  callback: (error?: Error) => void;

  constructor(statement: string, rows: Buffer, callback: (error?: Error) => void) {
    this.#statement = statement;
    this.#rows = rows;
    this.callback = callback;
  }

  submit(connection: pg.Connection): void {
    connection.query(this.#statement);
  }

  handleCopyInResponse(connection: pg.Connection): void {
    for (let at = 0; at < this.#rows.length; at += pieceBytes) {
      connection.sendCopyFromChunk(this.#rows.subarray(at, at + pieceBytes));
    }
    connection.endCopyFrom();
  }

  /** pg hands nothing more to a query after an error, and starts the next one when the server is ready. */
  handleError(error: Error): void {
    this.callback(error);
  }

  handleCommandComplete(): void {
    // The query ends with ReadyForQuery.
  }

  handleReadyForQuery(): void {
    this.callback();
  }
}
