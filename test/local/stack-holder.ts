/** A process that holds a small stack until it is told to end: so that a test can kill it. */
import { untilInterrupted } from '../../cli/interrupt.ts';
import { startStack } from '../../local/stack.ts';

const [dataDir = ''] = process.argv.slice(2);
using interrupt = untilInterrupted();
await using stack = await startStack({ dataDir, only: ['nats'], otherPorts: 'free', signal: interrupt.signal });
process.stdout.write(`${stack.endpoints.natsUrl}\n`);
await interrupt.happened;
