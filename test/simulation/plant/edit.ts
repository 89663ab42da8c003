/** Edits of a spec, as a scenario holds them: each changes what is there then, whatever came before. Pure. */
import { assertNever } from '../../../model/errors.ts';
import type { Kind, Shape, SinkShape, SourceShape } from './shape.ts';

export type Edit =
  /** The steps become others. */
  | { readonly what: 'steps'; readonly drops: readonly Kind[]; readonly fails: readonly Kind[] }
  /** By the place of the sink. */
  | { readonly what: 'routes'; readonly takes: readonly SinkShape['takes'][] }
  | { readonly what: 'add sink'; readonly sink: SinkShape }
  | { readonly what: 'remove sink'; readonly sink: string }
  | { readonly what: 'add source'; readonly source: SourceShape }
  | { readonly what: 'remove source'; readonly source: string }
  | { readonly what: 'state'; readonly desiredState: Shape['desiredState'] }
  | { readonly what: 'policy'; readonly deletionPolicy: Shape['deletionPolicy'] };

/** Answers what it was given when nothing changes: a pipeline has a source and a sink, and no two of a name. */
export function edited(shape: Shape, edit: Edit): Shape {
  switch (edit.what) {
    case 'steps':
      return { ...shape, drops: edit.drops, fails: edit.fails };
    case 'routes':
      return {
        ...shape,
        sinks: withRoutes(shape.sinks.map((sink, at) => ({ ...sink, takes: edit.takes[at % edit.takes.length] }))),
      };
    case 'add sink':
      if (shape.sinks.some(({ name }) => name === edit.sink.name)) return shape;
      return { ...shape, sinks: withRoutes([...shape.sinks, edit.sink]) };
    case 'remove sink': {
      const sinks = shape.sinks.filter(({ name }) => name !== edit.sink);
      return sinks.length === 0 || sinks.length === shape.sinks.length ? shape : { ...shape, sinks: withRoutes(sinks) };
    }
    case 'add source':
      if (shape.sources.some(({ name }) => name === edit.source.name)) return shape;
      return { ...shape, sources: [...shape.sources, edit.source] };
    case 'remove source': {
      const sources = shape.sources.filter(({ name }) => name !== edit.source);
      return sources.length === 0 || sources.length === shape.sources.length ? shape : { ...shape, sources };
    }
    case 'state':
      return shape.desiredState === edit.desiredState ? shape : { ...shape, desiredState: edit.desiredState };
    case 'policy':
      return shape.deletionPolicy === edit.deletionPolicy ? shape : { ...shape, deletionPolicy: edit.deletionPolicy };
    default:
      return assertNever(edit);
  }
}

/** One takes what the others leave, and comes last; should there be two, the other gets a copy of everything. */
function withRoutes(sinks: readonly SinkShape[]): SinkShape[] {
  const [rest, ...more] = sinks.filter(({ takes }) => takes === 'otherwise');
  const others = sinks.filter(({ takes }) => takes !== 'otherwise');
  const copies = more.map((sink) => ({ ...sink, takes: undefined }));
  return [...others, ...copies, ...(rest === undefined ? [] : [rest])];
}
