/**
 * A day on a real node: rows that go on from each other, as a person's day does.
 *
 * S1  A machine that cannot be a node says what it lacks, and the process ends with 3.
 * S2  What the cluster looks like is printed after a row that has failed.
 */
import type { NodeClusterOptions } from './cluster.ts';
import { RealNode } from './real-node.ts';
import { whyNoNode } from './requirements.ts';

/** One thing that holds on a real node. */
export interface Row {
  readonly says: string;
  readonly holds: (node: RealNode) => Promise<void>;
}

export function row(says: string, holds: Row['holds']): Row {
  return { says, holds };
}

export interface Suite extends Pick<NodeClusterOptions, 'enforcesPolicies'> {
  readonly title: string;
  /** In order. */
  readonly rows: readonly Row[];
}

export async function onRealNode({ title, rows, enforcesPolicies }: Suite): Promise<void> {
  const missing = await whyNoNode();
  if (missing.length > 0) {
    process.stderr.write(`This machine cannot be a node:\n${missing.map((one) => `  ${one}\n`).join('')}`);
    process.exit(3);
  }
  describe(title, () => {
    let node: RealNode | undefined;
    before(async () => {
      node = await RealNode.start({ enforcesPolicies });
    });
    afterEach(async function () {
      if (this.currentTest?.state === 'failed') process.stderr.write((await node?.picture()) ?? '');
    });
    after(async () => await node?.stop());

    for (const { says, holds } of rows)
      it(says, async () => {
        if (node === undefined) throw new TypeError('it is started before');
        await holds(node);
      });
  });
}
