/** Which files are tests. `*.unit.test.ts` need no server; the others start the real parts that they need. */
export const allTests = 'test/**/*.test.ts';
export const unitTests = 'test/**/*.unit.test.ts';

/** The files of one mocha: its own, without those that belong to another. */
export interface TestGroup {
  readonly name: string;
  readonly files: readonly string[];
  readonly except: readonly string[];
}

const named: readonly Omit<TestGroup, 'except'>[] = [
  { name: 'control plane', files: ['test/workers/{lifecycle,controller}/**/*.test.ts'] },
  // On one whole stack that they share.
  { name: 'end to end', files: ['test/e2e/**/*.test.ts'] },
  { name: 'workflows', files: ['test/{workflows,client}/**/*.test.ts'] },
  {
    name: 'record path',
    files: [
      'test/{stream,connectors,transforms,simulation}/**/*.test.ts',
      'test/workers/{ingestor,sink,pod}/**/*.test.ts',
    ],
  },
];

/** A minute of random faults on a stack of its own, which it breaks. It is timed, so nothing else may run meanwhile. */
export const faults: TestGroup = { name: 'faults', files: ['test/faults/*.test.ts'], except: [] };

/** All tests but the faults, each in one group: those that wait longest first. */
export const testGroups: readonly TestGroup[] = [
  ...named.map((group) => ({ ...group, except: [] })),
  { name: 'all others', files: [allTests], except: [...named, faults].flatMap(({ files }) => files) },
];
