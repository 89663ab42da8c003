/**
 * What a simulated pipeline does with its records, said once, and read twice: rendered as a real spec, which the real
 * compiler makes a plan of; and carried out in straight lines by the reference (../check/reference.ts).
 *
 * Records have a kind, one letter, and all that steps and routes look at is the kind.
 */
import { compile } from '../../../crds/compile.ts';
import { pipelineSchema } from '../../../crds/pipeline.ts';
import { apiVersion, kind } from '../../../model/names.ts';
import type { Plan } from '../../../model/plan.ts';

export type Kind = 'a' | 'b' | 'c' | 'd' | 'e' | 'f';
export const kinds: readonly Kind[] = ['a', 'b', 'c', 'd', 'e', 'f'];

export interface SinkShape {
  readonly name: string;
  /** Where the position lives decides the kind of sink. */
  readonly system: 'clickhouse' | 'postgres';
  readonly replicas: number;
  /** Undefined: a copy of every record. */
  readonly takes: readonly Kind[] | 'otherwise' | undefined;
}

export interface SourceShape {
  readonly name: string;
  readonly system: 'kafka' | 'http';
  readonly replicas: number;
  readonly slots: number;
}

/** One generation of a spec. */
export interface Shape {
  readonly generation: number;
  readonly sources: readonly SourceShape[];
  /** Kinds that the filter takes away. */
  readonly drops: readonly Kind[];
  /** Kinds whose records fail in a step. */
  readonly fails: readonly Kind[];
  readonly sinks: readonly SinkShape[];
  readonly desiredState: 'Running' | 'Paused' | 'Stopped';
  readonly deletionPolicy: 'Drain' | 'Immediate';
}

/** What no edit changes, or what does not matter to what becomes of a record. */
export interface Fixed {
  readonly uid: string;
  readonly shards: number;
  readonly edgeBytes: number;
  readonly frame: { readonly maxRecords: number; readonly maxBytes: number; readonly lingerMs: number };
  readonly batch: { readonly maxRecords: number; readonly maxBytes: number; readonly maxDelayMs: number };
  readonly deadLetters: { readonly maxBytes: number; readonly whenFull: 'Block' | 'DropOldest' };
}

export const pipelineName = 'sim';
export const namespace = 'default';

/** The real compiler's plan of this generation. */
export function planOf(shape: Shape, fixed: Fixed): Plan {
  const plan = compile(pipelineSchema.parse(resourceOf(shape, fixed)));
  // Finer than the schema lets a person be: small runs need small bounds.
  return {
    ...plan,
    edges: plan.edges.map((edge) => ({ ...edge, maxBytes: fixed.edgeBytes })),
    stages: plan.stages.map((stage) =>
      stage.kind === 'ingestor' ? { ...stage, frame: fixed.frame } : { ...stage, batch: fixed.batch },
    ),
    deadLetters: fixed.deadLetters,
  };
}

export function resourceOf(shape: Shape, fixed: Fixed) {
  return {
    apiVersion,
    kind,
    metadata: { name: pipelineName, namespace, uid: fixed.uid, generation: shape.generation },
    spec: {
      desiredState: shape.desiredState,
      deletionPolicy: shape.deletionPolicy,
      sources: shape.sources.map(({ name, system, replicas, slots }) => ({
        name,
        replicas,
        slots,
        ...(system === 'kafka' ? { kafka: { brokers: ['kafka:9092'], topic: name } } : { http: {} }),
      })),
      steps: stepsOf(shape),
      sinks: shape.sinks.map(({ name, system, replicas, takes }) => ({
        name,
        replicas,
        ...(system === 'clickhouse'
          ? { clickhouse: { url: 'http://ch:8123', table: name } }
          : { postgres: { host: 'pg', database: 'sim', table: name, username: 'sim' } }),
        ...(takes === undefined ? {} : takes === 'otherwise' ? { otherwise: true } : { when: isOneOf(takes) }),
      })),
      buffer: { shards: fixed.shards },
    },
  };
}

function stepsOf({ generation, drops, fails }: Shape) {
  return [
    ...(drops.length === 0 ? [] : [{ name: 'keep', filter: { where: `!(${isOneOf(drops)})` } }]),
    ...(fails.length === 0
      ? []
      : [{ name: 'trip', when: isOneOf(fails), map: { set: { boom: 'record.nothing.there' } } }]),
    // So that a row tells under which plan it was made.
    { name: 'mark', map: { set: { plan: `"g${generation}"` } } },
  ];
}

function isOneOf(list: readonly Kind[]): string {
  return list.map((one) => `record.kind == '${one}'`).join(' || ');
}
