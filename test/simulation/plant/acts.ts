/** Carries out one act of a scenario. What it names may be gone: then it does nothing. */
import { assertNever } from '../../../model/errors.ts';
import { PositionedTable } from '../outside/postgres.ts';
import { edited } from './edit.ts';
import { watchOver } from './person.ts';
import type { Plant } from './plant.ts';
import type { Pod } from './pod.ts';
import type { Act } from './scenario.ts';

export function perform(first: Plant, act: Act): void {
  const plant = first.latest;
  const { world, server, cluster, remotes, losses } = plant;
  plant.say(`ACT ${JSON.stringify(act)}`);
  switch (act.do) {
    case 'kill':
      podOf(plant, act)?.machine.kill();
      return;
    case 'freeze': {
      const machine = podOf(plant, act)?.machine;
      machine?.freeze();
      world.after(act.ms, () => machine?.thaw());
      return;
    }
    case 'lose node': {
      const pod = podOf(plant, act);
      if (pod === undefined) return;
      cluster.loseNodeOf(pod);
      pod.machine.freeze();
      world.after(act.frozenMs, () => pod.machine.thaw());
      world.after(act.ms, () => pod.machine.kill());
      return;
    }
    case 'slow': {
      const machine = podOf(plant, act)?.machine;
      if (machine !== undefined) machine.slowMs = act.ms;
      return;
    }
    case 'cut': {
      const connection = podOf(plant, act)?.connection;
      if (connection === undefined) return;
      connection.unreachableUntil = world.now + act.ms;
      connection.cut();
      return;
    }
    case 'stall':
      podOf(plant, act)?.connection.stall(act.ms);
      return;
    case 'crash server':
      if (plant.scenario.copies > 1) return loseServer(plant, act.ms);
      server.crash();
      world.after(act.ms, () => server.start(world.random.between(0, 300)));
      return;
    case 'lose power':
      if (plant.scenario.copies > 1) return;
      losses.happened('edge');
      server.losePower(plant.streamOf('edge'), act.frames);
      world.after(act.ms, () => server.start(world.random.between(0, 300)));
      return;
    case 'delete edge':
      losses.happened('edge');
      if (server.host(plant.streamOf('edge')) !== undefined) server.deleteStream(plant.streamOf('edge'));
      return;
    case 'delete frames':
      losses.happened('edge');
      for (const one of server.deleteOldest(plant.streamOf('edge'), act.frames)) plant.ledger.deletedFrame(one);
      return;
    case 'fill store':
      server.options.maxStoreBytes = server.storedBytes + 200;
      world.after(act.ms, () => (server.options.maxStoreBytes = undefined));
      return;
    case 'fail over': {
      losses.happened('sink');
      const table = plant.tables.get(act.sink);
      if (table instanceof PositionedTable) table.failOver(act.transactions);
      return;
    }
    case 'clean topic':
      losses.happened('source');
      for (const { id } of plant.topics.get(act.source)?.clean(act) ?? []) plant.ledger.removedAtSource(id);
      return;
    case 'remake topic': {
      losses.happened('source');
      const topic = plant.topics.get(act.source);
      if (topic === undefined) return;
      topic.remake();
      // Also what is in the edge: should that go back, nobody has it any more.
      for (const input of plant.ledger.inputs.values()) if (input.source === act.source) input.mayBeMissing = true;
      return;
    }
    case 'freeze server':
      for (const connection of server.connections) connection.stall(act.ms);
      return;
    case 'lose leader':
      if (plant.scenario.copies > 1) server.loseLeader(plant.streamOf(act.stream), act.ms);
      return;
    case 'sink':
    case 'source': {
      const remote = remotes.get(act.do === 'sink' ? act.sink : act.source);
      if (remote === undefined) return;
      remote.state = act.state;
      world.after(act.ms, () => (remote.state = 'up'));
      return;
    }
    case 'scale':
      // As an autoscaler does: of what the spec does not have it knows nothing, and what is told to have no pod it lets be.
      if (plant.lifecycle.isDeleted && (act.replicas === 0 || cluster.wantedOf(act.stage) === 0)) return;
      if (isWanted(plant, act.stage)) cluster.scale(act.stage, act.replicas);
      return;
    case 'pause': {
      plant.lifecycle.edit((shape) => edited(shape, { what: 'state', desiredState: act.state }));
      world.after(act.ms, () => plant.lifecycle.edit((now) => edited(now, { what: 'state', desiredState: 'Running' })));
      return;
    }
    case 'edit':
      plant.lifecycle.edit((shape) => edited(shape, act.edit));
      return;
    case 'delete': {
      const { lifecycle } = plant;
      if (lifecycle.isDeleted) return;
      const { deletionPolicy, impatientMs, againMs } = act;
      lifecycle.edit((now) => edited(now, { what: 'policy', deletionPolicy }));
      plant.comesAgain = againMs !== undefined;
      lifecycle.delete(() => {
        if (againMs !== undefined) world.after(againMs, () => startUp(plant.makeAgain()));
      });
      const giveUp = () => lifecycle.edit((now) => edited(now, { what: 'policy', deletionPolicy: 'Immediate' }));
      if (impatientMs !== undefined) world.after(impatientMs, giveUp);
      return;
    }
    case 'lifecycle': {
      const { machine } = plant.lifecycle;
      if (act.ms === 0) machine?.kill();
      else machine?.freeze();
      world.after(act.ms, () => machine?.thaw());
      return;
    }
    case 'grow':
      plant.topics.get(act.source)?.grow(act.partitions);
      return;
    default:
      assertNever(act);
  }
}

/** Its resource is there, and somebody looks after it. */
export function startUp(plant: Plant): void {
  plant.lifecycle.tell();
  watchOver(plant);
}

/** One of three: a third of the streams lose their leader, a third of the clients their connection. */
function loseServer(plant: Plant, ms: number): void {
  const { server, world } = plant;
  for (const host of server.hosts)
    if (world.random.chance(1 / 3)) server.loseLeader(host.name, Math.min(ms, world.random.between(200, 5_000)));
  for (const connection of [...server.connections]) if (world.random.chance(1 / 3)) connection.cut();
}

function isWanted({ lifecycle }: Plant, stage: string): boolean {
  const { sinks, sources } = lifecycle.resource;
  return [...sinks.map(({ name }) => `sink-${name}`), ...sources.map(({ name }) => `ingestor-${name}`)].includes(stage);
}

function podOf(plant: Plant, { stage, pod }: { readonly stage: string; readonly pod: number }): Pod | undefined {
  const pods = plant.cluster.podsOf(stage);
  return pods[pod % Math.max(1, pods.length)];
}
