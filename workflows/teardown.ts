/**
 * Takes a pipeline down: ingestors, what was read (deletionPolicy Drain), sinks, streams, namespace, finalizer.
 *
 * X1  It needs no valid spec, no plan and no earlier success: what is not there is not missed.
 * X2  Removing the finalizer is the last act: as long as the resource exists, somebody is responsible for the rest.
 * X3  deletionPolicy is looked at again while it drains: setting Immediate frees a deletion that waits for a dead sink.
 * X4  It begins by looking. A resource that is there and is not being deleted ends it as `notDeleted`, with nothing done;
 *     one that is gone must be seen to be gone twice, seconds apart. The activities that cannot be undone look again.
 * X5  What deletionPolicy Orphan leaves is marked: without the mark it would be found, and taken down, as a leftover.
 * X6  Nothing is made: where the namespace itself is being deleted nothing could be, and the finalizer keeps the namespace.
 *     A drain without pods, and without a place for any, is given up.
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

/** X4: undefined when the resource is not to be taken down. */
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
