/** What the parsers of failures (`<system>/failures.ts`) put into messages, besides what the system said. */
import type { Identity } from '../model/credentials.ts';

export interface FailureContext {
  readonly identity: Identity;
  /** Host and port; all of them, as the spec names them, when there are several. */
  readonly server: string;
}

export interface SinkFailureContext extends FailureContext {
  readonly sink: string;
  /** For messages: `shop.orders`. */
  readonly table: string;
}
