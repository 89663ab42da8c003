/** Which member of a union a spec names: the connector of a source or sink, the kind of a step. */
import { connectors } from '../connectors/registry.ts';
import { transforms } from '../transforms/registry.ts';

export const sourceKinds = kindsWith('source');
export const sinkKinds = kindsWith('sink');
export const stepKinds: readonly string[] = Object.keys(transforms);

export interface Member {
  readonly kind: string;
  readonly config: unknown;
}

/** The known members that are given. */
export function membersOf(value: object, kinds: readonly string[]): readonly Member[] {
  return Object.entries(value).flatMap(([kind, config]: [string, unknown]) =>
    config !== undefined && kinds.includes(kind) ? [{ kind, config }] : [],
  );
}

/** Whether a source of this kind listens for records on its pods. */
export function takesRecords(kind: string): boolean {
  return Object.entries(connectors).some(([name, entry]) => name === kind && 'recordsPath' in entry);
}

/** Where the pods of a source receive records; undefined when its connector fetches them. */
export function recordsPathOf(source: object): string | undefined {
  for (const { kind, config } of membersOf(source, sourceKinds)) {
    for (const [name, entry] of Object.entries(connectors)) {
      if (name === kind && 'recordsPath' in entry) return entry.recordsPath(config);
    }
  }
  return undefined;
}

function kindsWith(side: 'source' | 'sink'): readonly string[] {
  return Object.entries(connectors).flatMap(([name, entry]) => (side in entry ? [name] : []));
}
