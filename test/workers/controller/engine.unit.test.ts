import { equal } from 'node:assert/strict';
import { ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { isUnavailable } from '../../../workers/controller/engine.ts';

/** As gRPC makes them. */
function grpc(code: number, text: string): Error {
  return Object.assign(new Error(`${code} ${text}`), { code, details: text, metadata: {} });
}

const rows: readonly (readonly [what: string, error: unknown, isUnavailable: boolean])[] = [
  ['a connection that is refused', grpc(14, 'UNAVAILABLE: No connection established'), true],
  ['no answer in time', grpc(4, 'DEADLINE_EXCEEDED: Deadline exceeded after 0.000s'), true],
  ['a server that has too much to do', grpc(8, 'RESOURCE_EXHAUSTED: rate limit'), true],
  [
    'the same, as the client wraps it',
    new ServiceError('Failed to signal Workflow', { cause: grpc(4, 'DEADLINE_EXCEEDED') }),
    true,
  ],
  ['an entity that has ended', new WorkflowNotFoundError('no connection to it', 'w', undefined), false],
  ['a defect that speaks of a connection', new TypeError('cannot connect the dots'), false],
  ['a defect that has a number', Object.assign(new Error('UNAVAILABLE'), { code: 14 }), false],
  ['what is no error', 'UNAVAILABLE', false],
];

describe('whether Temporal is away', () => {
  for (const [what, error, expected] of rows)
    it(`${what}: ${expected ? 'yes' : 'no'}`, () => equal(isUnavailable(error), expected));
});
