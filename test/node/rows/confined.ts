/** What the pods of a pipeline may do. */
import { deepEqual, rejects } from 'node:assert/strict';
import { row } from '../support/suite.ts';

/** Run in a pod: uid, capabilities, new privileges, seccomp, what a write to `/` says, whether there is a token. */
const look = `const { readFileSync, existsSync, writeFileSync } = require('node:fs');
  const status = readFileSync('/proc/1/status', 'utf8');
  const of = (name) => new RegExp('^' + name + ':\\\\s*(\\\\S+)', 'm').exec(status)[1];
  const write = (() => { try { writeFileSync('/x', ''); return 'written'; } catch (error) { return error.code; } })();
  const token = existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token');
  console.log(JSON.stringify([of('Uid'), of('CapEff'), of('CapBnd'), of('NoNewPrivs'), of('Seccomp'), write, token]));`;
const confined = ['65532', '0000000000000000', '0000000000000000', '1', '2', 'EROFS', false];

export const confinedPods = [
  row('lets its pods do nothing but their work', async ({ orders }) => {
    for (const stage of ['ingestor-orders', 'sink-warehouse']) {
      const said = await orders.kubectl('exec', await orders.podOf(stage), '--', 'node', '-e', look);
      deepEqual(JSON.parse(said), confined);
    }
  }),

  row('takes no pod beside them that may do more', async ({ orders }) => {
    const image = 'docker.io/library/nats:2';
    await rejects(
      orders.kubectl('run', 'free', `--image=${image}`, '--privileged'),
      /violates PodSecurity "restricted/,
    );
  }),
];
