/**
 * What must hold of a pipeline that is deleted.
 *
 * I1  Before its streams go: drained, everything that was acknowledged while its sources ran is in the sinks or dead
 *     letters; not drained, everything that its sinks have committed is. (I2 to I5 are looked at with each row.)
 * I9  Afterwards nothing is left of it: no stream and with it no consumer, no lease, no process; and nothing comes any more
 *     (`Ledger.isClosed`).
 */
import { BlockTable } from '../outside/clickhouse.ts';
import type { Plant } from '../plant/plant.ts';
import { Violation } from './violation.ts';

export function checkDeparture(plant: Plant, isDrained: boolean): void {
  plant.hasDeparted = true;
  const { world, ledger, tables, witness, uid } = plant;
  plant.say(`DEPARTURE ${isDrained ? 'drained' : witness.hasLost ? 'unknown after a loss' : 'given up'}`);
  // What a failover has taken, and no slot has found out, nobody looks for any more.
  for (const name of tables.keys()) plant.takenOff(name);
  // After a loss in the edge the numbers of what is committed say nothing; what is drained is found out by checksums.
  if (!isDrained && witness.hasLost) return;
  // About which a person has decided, they have said what may be missing.
  const isDue = isDrained ? () => true : witness.hasCommitted.bind(witness);
  const [missing] = ledger.settleDeleted({
    isDue: (stage, frame) => isDue(stage, frame) && !plant.decidedStages.has(stage),
  });
  if (missing !== undefined) return world.fail(missing);
  // A batch that was being written may be in the table and not in its view when the rest is given up.
  if (!isDrained || ledger.hasDecided) return;
  for (const [name, table] of tables)
    if (table instanceof BlockTable && table.hasTornBlocks(uid) && !plant.isGivenUp(`sink-${name}`))
      world.fail(new Violation('I2', `deleted: a view of ${name} has other rows than ${name}`));
}

/** Of a pipeline that is gone, what is there nevertheless; empty: nothing. */
export function leftOf({ server, cluster, pid, streamsLeft, world }: Plant): string {
  if (streamsLeft.length > 0) return `streams ${streamsLeft.join(', ')}`;
  const processes = cluster.processes.map(({ machine }) => machine.name);
  if (processes.length > 0) return `processes ${processes.join(', ')}`;
  for (const { name, stream } of server.hosts) {
    stream.expire(world.now);
    const [left] = stream.messages.filter(({ subject }) => subject.split('.')[1] === pid);
    if (left !== undefined) return `${left.subject} in ${name}`;
  }
  return '';
}
