/** What a connection asks of nats-server, and what it is refused. */
import type { NatsConnection } from '@nats-io/transport-node';

export interface Used {
  /** Subjects of requests and messages. */
  readonly published: Set<string>;
  readonly subscribed: Set<string>;
  /** What the server has refused, as it says it. */
  readonly refused: string[];
}

/** From now on. */
export function usedBy(nc: NatsConnection): Used {
  const used: Used = { published: new Set(), subscribed: new Set(), refused: [] };
  const { request, publish, subscribe } = nc;
  nc.request = (subject, ...more) => {
    used.published.add(subject);
    return request.call(nc, subject, ...more);
  };
  nc.publish = (subject, ...more) => {
    used.published.add(subject);
    publish.call(nc, subject, ...more);
  };
  nc.subscribe = (subject, ...more) => {
    used.subscribed.add(subject);
    return subscribe.call(nc, subject, ...more);
  };
  void (async () => {
    for await (const event of nc.status()) if (event.type === 'error') used.refused.push(event.error.message);
  })();
  return used;
}

/** Whether a subject is one of those that a pattern stands for. */
export function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  if (wanted.at(-1) === '>') return tokens.length >= wanted.length && wanted.slice(0, -1).every(isToken);
  return tokens.length === wanted.length && wanted.every(isToken);

  function isToken(token: string, index: number): boolean {
    return token === '*' || token === tokens[index];
  }
}
