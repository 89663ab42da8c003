/**
 * A lifecycle worker that kills itself: after the effect of an activity and before Temporal hears of it, once for each
 * activity that MORTAL_AT names. A file in MORTAL_DIR notes each death, so that the next life goes on.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { parseLifecycleConfig } from '../../../workers/lifecycle/config.ts';
import { serveLifecycle } from '../../../workers/lifecycle/main.ts';

const { MORTAL_AT = '', MORTAL_DIR = '' } = process.env;
const deaths = join(MORTAL_DIR, 'deaths');
const deadly = new Set(MORTAL_AT.split(','));
for (const name of readFileSync(deaths, 'utf8').split('\n')) deadly.delete(name);

const mortal: ActivityInterceptorsFactory = ({ info }) => ({
  inbound: {
    async execute(input, next) {
      const result = await next(input);
      if (deadly.delete(info.activityType)) {
        appendFileSync(deaths, `${info.activityType}\n`);
        process.kill(process.pid, 'SIGKILL');
      }
      return result;
    },
  },
});

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort(new Error('asked to stop')));
await serveLifecycle(parseLifecycleConfig(process.env), pino({ level: 'silent' }), stop.signal, [mortal]).catch(
  (error: unknown) => {
    if (!stop.signal.aborted) throw error;
  },
);
