/**
 * Tears a pipeline down in order: ingestors, drain (deletionPolicy Drain), sinks, streams, namespace, finalizer.
 *
 * X1  It needs no valid spec, no plan and no earlier success: missing objects are ignored.
 * X2  Removing the finalizer is the last step: as long as the resource exists, the teardown is not complete.
 * X3  deletionPolicy is read again during the drain: Immediate frees a deletion that waits for a dead sink.
 * X4  It starts with a read. A resource that exists and is not being deleted ends it as `notDeleted`, with nothing
 *     done; a missing one must be found missing twice, seconds apart. Activities that cannot be undone check again.
 * X5  Objects left by deletionPolicy Orphan are marked: without the mark they would be torn down as leftovers.
 * X6  Nothing is created: in a namespace that is being deleted nothing could be, while the finalizer keeps the
 *     namespace. A drain that has no pods, and cannot get any, is given up.
 */
import { patched, sleep } from '@temporalio/workflow';
import type { Location } from '../model/lifecycle.ts';
import { run } from './activities.ts';
import { actsOf, refOf, sayBegun, sentence, type OperationInput, type OperationResult } from './operation.ts';
import { drainSinks, stopStages } from './stop-stages.ts';

/** Long enough for an API server that was just restored, or a cache behind it, to have caught up. */
const betweenLooks = '5s';

export async function tearDown(input: OperationInput): Promise<OperationResult> {
  const looksFirst = patched('teardown-looks-first');
  if (!looksFirst) await sayBegun(input);
  const at = looksFirst ? await lookTwice(input) : await look(input);
  if (at === undefined) return { is: 'notDeleted' };
  if (looksFirst) await sayBegun(input);
  await takeDown(input, at);
  return { is: 'done', generation: input.generation };
}

function look(input: OperationInput): Promise<Location> {
  const what = 'find what there is';
  return run('locatePipeline', sentence(what, input.generation), { op: refOf(input), step: what });
}

/** X4: undefined when the resource must not be torn down. */
async function lookTwice(input: OperationInput): Promise<Location | undefined> {
  const first = await look(input);
  if (first.exists) return first.deleting ? first : undefined;
  await sleep(betweenLooks, { summary: 'before looking again whether the resource is gone' });
  const second = await look(input);
  return second.exists && !second.deleting ? undefined : second;
}

async function takeDown(input: OperationInput, at: Location): Promise<void> {
  const op = refOf(input);
  const act = actsOf(input, at);
  if (at.deletionPolicy === 'Orphan') {
    if (patched('teardown-releases'))
      await run('releaseObjects', ...act('mark what is left on purpose', { pid: at.pid }));
  } else {
    const live = await run('listStages', ...act('list live stages'));
    await stopStages(
      input,
      at,
      live.filter(({ kind }) => kind === 'ingestor'),
    );
    if (at.deletionPolicy === 'Drain') await drainSinks(input, at, live, 'drainedOrImmediate');
    await stopStages(
      input,
      at,
      live.filter(({ kind }) => kind === 'sink'),
    );
    await run('deleteStreams', ...act('delete streams', { pid: at.pid }));
    const what = at.isolation === 'Namespace' ? `delete namespace ${at.workloadNamespace}` : 'delete objects';
    await run('deleteNamespace', ...act(what));
    const wait =
      at.isolation === 'Namespace' ? `wait until namespace ${at.workloadNamespace} is gone` : 'wait until it is gone';
    await run('waitNamespaceGone', ...act(wait));
    await run('forgetLeases', ...act('forget leases and reports', { pid: at.pid }));
  }
  const last = 'remove the finalizer';
  await run('removeFinalizer', sentence(last, input.generation), { op, step: last });
}
