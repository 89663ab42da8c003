/** The name of a pipeline on the command line: plain, or as `millrace` and kubectl print it. */
import { Argument, InvalidArgumentError } from 'commander';
import { kind, plural } from '../model/names.ts';

const prefixes = [kind.toLowerCase(), plural, 'mrp'];

export function pipelineArgument(name: '<name>' | '[name]' = '<name>'): Argument {
  return new Argument(name, 'name of the pipeline').argParser(pipelineName);
}

/** `pipeline/orders` → `orders`. */
export function pipelineName(written: string): string {
  const [first = '', name] = written.split('/');
  if (name === undefined && first !== '') return first;
  if (
    name !== undefined &&
    name !== '' &&
    prefixes.some((prefix) => first === prefix || first === `${prefix}.millrace.io`)
  )
    return name;
  throw new InvalidArgumentError('Write the name of a pipeline, such as orders or pipeline/orders.');
}
