/**
 * Registers the search attributes and waits until the server lets workflows use them: an upsert of an unknown attribute
 * would fail the workflow's task again and again.
 */
import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { searchAttributes } from '../../workflows/search-attributes.ts';

export interface RegisterOptions {
  readonly namespace: string;
  readonly sleep: (ms: number) => Promise<void>;
  /** Default 200 ms. */
  readonly pollMs?: number;
  /** Default 60 s. On a server whose attributes are managed elsewhere, they must exist. */
  readonly timeoutMs?: number;
}

export async function ensureSearchAttributes(connection: Connection, options: RegisterOptions): Promise<void> {
  const { namespace, sleep, pollMs = 200, timeoutMs = 60_000 } = options;
  const missing = await missingAttributes(connection, namespace);
  if (missing.length > 0) {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(
        missing.map(({ name, type }) => [name, encodeSearchAttributeIndexedValueType(type) ?? 0]),
      ),
    });
  }
  for (let waited = 0; !(await areUsable(connection, namespace)); waited += pollMs) {
    if (waited >= timeoutMs) throw new Error(`search attributes are not usable after ${timeoutMs} ms`);
    await sleep(pollMs);
  }
}

async function missingAttributes(connection: Connection, namespace: string) {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return searchAttributes.filter(({ name }) => customAttributes[name] === undefined);
}

/** A registration reaches the parts of the server one by one; the frontend's query parser is the last. */
async function areUsable(connection: Connection, namespace: string): Promise<boolean> {
  if ((await missingAttributes(connection, namespace)).length > 0) return false;
  try {
    const query = searchAttributes.map(({ name }) => `${name} IS NULL`).join(' AND ');
    await connection.workflowService.countWorkflowExecutions({ namespace, query });
    return true;
  } catch (error) {
    if (!isGrpcServiceError(error)) throw error;
    // The query parser does not know them yet: wait.
    return false;
  }
}
