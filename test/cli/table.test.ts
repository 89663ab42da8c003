import assert from 'node:assert/strict';
import { pipelineTable } from '../../cli/table.ts';
import { condition, now, stored } from './stored.ts';

describe('the table of get', () => {
  const running = stored({
    status: {
      conditions: [condition('Ready', 'True', 'Running', 'records move')],
      stages: [
        { name: 'ingestor-orders', replicas: 1, ready: 1 },
        { name: 'sink-warehouse', replicas: 2, ready: 1 },
      ],
      deadLetters: { records: 0 },
    },
  });

  it('shows the printer columns of the resource', () => {
    assert.equal(
      pipelineTable([running, stored({ metadata: { name: 'new' } })], { wide: false, allNamespaces: false }, now),
      `NAME     READY     STATE     STAGES   DEADLETTERS   AGE
orders   True      Running   1/2      0             60m
new      Unknown   Pending                          60m
`,
    );
  });

  it('counts no stage that should have no pods: a paused pipeline has 0/0', () => {
    const paused = stored({
      status: {
        conditions: [condition('Ready', 'True', 'Paused', 'paused')],
        stages: [
          { name: 'ingestor-orders', replicas: 0, ready: 0 },
          { name: 'sink-warehouse', replicas: 0, ready: 0 },
        ],
      },
    });
    assert.match(pipelineTable([paused], { wide: false, allNamespaces: false }, now), /Paused +0\/0 /);
  });

  it('adds the namespace for all namespaces and the message when wide', () => {
    assert.equal(
      pipelineTable([running], { wide: true, allNamespaces: true }, now),
      `NAMESPACE   NAME     READY   STATE     STAGES   DEADLETTERS   AGE   MESSAGE
shop        orders   True    Running   1/2      0             60m   records move
`,
    );
  });
});
