/**
 * Takes a pipeline down: ingestors, what was read (deletionPolicy Drain), sinks, streams, namespace, finalizer.
 *
 * X1  It needs no valid spec, no plan and no earlier success: what is not there is not missed.
 * X2  Removing the finalizer is the last act: as long as the resource exists, somebody is responsible for the rest.
 * X3  deletionPolicy is looked at again while it drains: setting Immediate frees a deletion that waits for a dead sink.
 */
import { run } from './activities.ts';
import { begin, refOf, sentence, stepOf, type OperationInput, type OperationResult } from './operation.ts';
import { drainSinks, stopStages } from './stop-stages.ts';

export async function tearDown(input: OperationInput): Promise<OperationResult> {
  const { generation } = input;
  const say = (what: string) => sentence(what, generation);
  const op = refOf(input);
  await begin(input);
  const at = await run('locatePipeline', say('find what there is'), { op, step: 'find what there is' });
  const step = stepOf(input, at);

  if (at.deletionPolicy !== 'Orphan') {
    const live = await run('listStages', say('list live stages'), step('list live stages'));
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
    await run('deleteStreams', say('delete streams'), { ...step('delete streams'), pid: at.pid });
    const what = at.isolation === 'Namespace' ? `delete namespace ${at.workloadNamespace}` : 'delete objects';
    await run('deleteNamespace', say(what), step(what));
    const wait =
      at.isolation === 'Namespace' ? `wait until namespace ${at.workloadNamespace} is gone` : 'wait until it is gone';
    await run('waitNamespaceGone', say(wait), step(wait));
    await run('forgetLeases', say('forget leases and reports'), { ...step('forget leases and reports'), pid: at.pid });
  }
  await run('removeFinalizer', say('remove the finalizer'), { op, step: 'remove the finalizer' });
  return { is: 'done', generation };
}
