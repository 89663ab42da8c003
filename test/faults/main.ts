/** `npm run faults -- --seed N --minutes M [--only kill,link] [--nats cluster]`: a run of random faults on the whole local stack. */
import { parseArgs } from 'node:util';
import { passed, report } from './report.ts';
import { runFaults } from './run.ts';
import { faultKinds, type FaultKind } from './schedule.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '10' },
    only: { type: 'string' },
    nats: { type: 'string', default: 'server' },
  },
});
const isKind = (name: string): name is FaultKind => faultKinds.some((kind) => kind === name);
const asked = values.only?.split(',');
const unknown = asked?.filter((name) => !isKind(name)) ?? [];
if (unknown.length > 0)
  throw new RangeError(`there is no fault "${unknown.join(', ')}"; there is ${faultKinds.join(', ')}`);

if (values.nats !== 'server' && values.nats !== 'cluster') throw new RangeError('--nats is server or cluster');

const outcome = await runFaults({
  seed: Number(values.seed),
  lengthMs: Number(values.minutes) * 60_000,
  bus: values.nats,
  say: (line) => process.stderr.write(`${line}\n`),
  ...(asked === undefined ? {} : { only: asked.filter(isKind) }),
});
process.stdout.write(`\n${report(outcome)}`);
process.exitCode = passed(outcome) ? 0 : 1;
