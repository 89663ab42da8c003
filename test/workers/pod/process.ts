/** The program of a worker pod under test: the real one, with the connectors of this folder. */
import { fileSink } from './file-sink.ts';
import { numberSource } from './number-source.ts';
import { runIngestor } from '../../../workers/ingestor/main.ts';
import { runSink } from '../../../workers/sink/main.ts';

const asIs = (config: unknown) => config;
process.exitCode =
  process.argv[2] === 'ingestor'
    ? await runIngestor(process.env, () => Promise.resolve({ connector: numberSource as never, parse: asIs }))
    : await runSink(process.env, () => Promise.resolve({ connector: fileSink as never, parse: asIs }));
