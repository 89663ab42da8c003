import assert from 'node:assert/strict';
import { publishPodReport, readPodReports, withdrawPodReport } from '../../stream/pod-report.ts';
import type { Streams } from '../../stream/connection.ts';
import { ensureSharedStreams } from '../../stream/streams.ts';
import { podReport } from './support/reports.ts';
import { startTestServer, type TestServer } from './support/server.ts';

const report = podReport();

describe('pod reports', function () {
  let server: TestServer;
  let streams: Streams;
  before(async () => {
    server = await startTestServer();
    streams = await server.connect();
    await ensureSharedStreams(streams);
  });
  after(async () => {
    await server.stop();
  });

  it('the last of each pod is read, and none of a pod that has withdrawn it', async () => {
    await publishPodReport(streams, report);
    await publishPodReport(streams, { ...report, recordsIn: 2 });
    await publishPodReport(streams, { ...report, pod: 'sink-warehouse-1' });
    assert.deepEqual(
      (await readPodReports(streams, report.pid)).map(({ pod, recordsIn }) => [pod, recordsIn]),
      [
        ['sink-warehouse-0', 2],
        ['sink-warehouse-1', 1],
      ],
    );
    await withdrawPodReport(streams, report);
    assert.deepEqual(
      (await readPodReports(streams, report.pid)).map(({ pod }) => pod),
      ['sink-warehouse-1'],
    );
  });
});
