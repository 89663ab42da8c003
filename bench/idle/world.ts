/**
 * The process beside the measured one: the model API server, and the reports of all pods, each every ten seconds. It
 * reports to its parent what was requested from both.
 */
import { connect, headers } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import { ModelApiServer } from './api-server.ts';
import { idlePipeline, surroundings } from './cluster.ts';

const reportMs = 10_000;
const steps = 100;
/** JetStream's status for a query that finds nothing. */
const noMessages = 404;

const [pipelines = '0', natsUrl = ''] = process.argv.slice(2);
const idle = Array.from({ length: Number(pipelines) }, (_, index) => idlePipeline(index));
const model = new ModelApiServer([...surroundings(idle.length), ...idle.flatMap(({ objects }) => objects)]);
const { port } = await model.listen();
const nats = await connect({ servers: natsUrl });
let jetStream = 0;
nats.subscribe('$JS.API.>', { callback: () => void (jetStream += 1) });
// Streams without a message, so that the count of dead letters is zero.
nats.subscribe('$JS.API.DIRECT.GET.>', {
  callback: (_, message) => void message.respond(undefined, { headers: headers(noMessages, 'No Results') }),
});
process.on('message', () => process.send?.({ asked: Object.fromEntries(model.asked), jetStream }));
process.send?.({ port });

const reports = idle.flatMap((each) => each.reports);
const texts = reports.map(({ at: _, ...report }) => ({
  subject: `mr-report.${report.pid}.${report.stage}.${report.pod}`,
  text: JSON.stringify(report).slice(0, -1),
}));
for (let round = 0; ; round++) {
  const share = texts.filter((_, index) => index % steps === round % steps);
  for (const { subject, text } of share) nats.publish(subject, `${text},"at":${Date.now()}}`);
  await delay(reportMs / steps);
}
