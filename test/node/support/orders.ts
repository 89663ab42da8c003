/**
 * The pipeline of a suite: numbers from 1 on, all of them into one table.
 *
 * O1  Each number is in the table once (I1, I2), and none is missing before another of its slot.
 * O2  Each row is as the plan of its time says (I4): the factor never goes back within a slot.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { z } from 'zod';
import { Warehouse } from '../../e2e/support/clickhouse.ts';
import { eventually } from './eventually.ts';
import type { RealNode } from './real-node.ts';

/** Each slot makes every fourth number; they are not equally far. */
const slots = 4;
const perSecond = 500;
const slotOf = `(id - 1) % ${slots}`;
const gapsIn = (table: string) => `SELECT slot, n, last FROM (
  SELECT ${slotOf} AS slot, count() AS n, max(id) AS last FROM ${table} GROUP BY slot
) WHERE n != intDiv(last - 1 - slot, ${slots}) + 1`;
const wentBackIn = (table: string) => `SELECT id, v FROM (
  SELECT id, v, intDiv(v, id) AS factor, max(factor) OVER (PARTITION BY ${slotOf} ORDER BY id) AS highest FROM ${table}
) WHERE v != id * factor OR factor < highest LIMIT 3`;
const numbers = z.object({
  rows: z.coerce.number(),
  ids: z.coerce.number(),
  last: z.coerce.number(),
  factor: z.coerce.number(),
});
const podList = z.looseObject({
  items: z.array(
    z.looseObject({ metadata: z.looseObject({ name: z.string(), deletionTimestamp: z.string().optional() }) }),
  ),
});

/** What an edit may change. */
export interface OrdersSpec {
  /** Of each number, as another column. */
  readonly factor: number;
  /** Of the sink. */
  readonly replicas: number;
  /** Of each pod, as what it is sure to get and as its limit. */
  readonly memory?: string;
}

export interface OrdersPlace {
  readonly namespace: string;
  readonly isolation: 'Namespace' | 'Shared';
  readonly table: string;
}

export class Orders {
  readonly #node: RealNode;
  readonly #url: string;
  readonly #warehouse: Warehouse;
  readonly #place: OrdersPlace;
  #spec: OrdersSpec = { factor: 0, replicas: 1 };

  constructor(node: RealNode, url: string, place: OrdersPlace) {
    this.#node = node;
    this.#url = url;
    this.#warehouse = new Warehouse(url);
    this.#place = place;
  }

  /** Stores it, with what was changed before. `steps`: instead of those of the factor. */
  async change(spec: Partial<OrdersSpec> = {}, steps?: string): Promise<void> {
    const changed = { ...this.#spec, ...spec };
    await this.#node.apply(this.#manifest(changed, steps));
    this.#spec = changed;
  }

  #manifest({ factor, replicas, memory }: OrdersSpec, steps?: string): string {
    const { namespace, isolation, table } = this.#place;
    const times = factor === 0 ? '[]' : `[{name: times, map: {set: {v: "record.id * ${factor}"}}}]`;
    const resources =
      memory === undefined ? '' : `\n  resources: {requests: {memory: ${memory}}, limits: {memory: ${memory}}}`;
    return `apiVersion: millrace.io/v1alpha1
kind: Pipeline
metadata: {name: orders, namespace: ${namespace}}
spec:${resources}
  isolation: ${isolation}
  sources:
    - name: orders
      slots: ${slots}
      generator: {rate: ${perSecond}, fields: [{name: id, kind: Sequence, min: 1}]}
  steps: ${steps ?? times}
  sinks:
    - name: warehouse
      replicas: ${replicas}
      clickhouse:
        url: ${this.#url}
        table: ${table}
        createTable: {columns: [{name: id, type: Int64}, {name: v, type: Int64}], orderBy: [id]}
      batch: {maxDelay: 200ms}
`;
  }

  /** Until Ready is for the newest generation. */
  async ready(): Promise<void> {
    await eventually(async () => {
      const [generation, seen, ready] = await Promise.all([
        this.field('.metadata.generation'),
        this.field('.status.observedGeneration'),
        this.field('.status.conditions[?(@.type=="Ready")].status'),
      ]);
      deepEqual([seen, ready], [generation, 'True']);
    });
  }

  field(path: string): Promise<string> {
    return this.#node.fieldOf(path, '-n', this.#place.namespace, 'pipeline', 'orders');
  }

  /** Of a condition. */
  message(type: string): Promise<string> {
    return this.field(`.status.conditions[?(@.type=="${type}")].message`);
  }

  /** Where its pods are. */
  async workloads(): Promise<string> {
    if (this.#place.isolation === 'Shared') return this.#place.namespace;
    return this.#node.fieldOf('.items[0].metadata.name', 'namespaces', '-l', 'millrace.io/pipeline=orders');
  }

  /** The pods of a stage that are not being deleted. */
  async podsOf(stage: string): Promise<readonly string[]> {
    const found: unknown = JSON.parse(
      await this.kubectl('get', 'pods', '-l', `millrace.io/stage=${stage}`, '-o', 'json'),
    );
    const live = podList.parse(found).items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    return live.map(({ metadata }) => metadata.name);
  }

  async podOf(stage: string): Promise<string> {
    const [pod] = await this.podsOf(stage);
    if (pod === undefined) throw new Error(`${stage} has no pod`);
    return pod;
  }

  async fieldOfPod(pod: string, path: string): Promise<string> {
    return this.#node.fieldOf(path, '-n', await this.workloads(), 'pod', pod);
  }

  async pidOf(pod: string): Promise<number> {
    return this.#node.pidOf(await this.workloads(), pod);
  }

  /** In the namespace of its pods. */
  async kubectl(...args: readonly string[]): Promise<string> {
    return this.#node.kubectl('-n', await this.workloads(), ...args);
  }

  /** So many more numbers have come, and what is there is exact. */
  async flows(by = perSecond): Promise<void> {
    const before = (await this.#numbers()).last;
    await eventually(async () => ok((await this.#numbers()).last >= before + by));
    await this.exact();
  }

  /** The first rows of this factor have come. */
  async carries(factor: number): Promise<void> {
    await eventually(async () => equal((await this.#numbers()).factor, factor));
  }

  /** O1, O2. */
  async exact(): Promise<void> {
    const { rows, ids } = await this.#numbers();
    equal(rows, ids);
    deepEqual(await this.#warehouse.rows(gapsIn(this.#place.table)), []);
    deepEqual(await this.#warehouse.rows(wentBackIn(this.#place.table)), []);
  }

  async #numbers(): Promise<z.output<typeof numbers>> {
    const columns = 'count() AS rows, uniqExact(id) AS ids, max(id) AS last, max(intDiv(v, id)) AS factor';
    const [row] = z.tuple([numbers]).parse(await this.#warehouse.rows(`SELECT ${columns} FROM ${this.#place.table}`));
    return row;
  }
}
