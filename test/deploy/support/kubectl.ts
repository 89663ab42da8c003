/** The kubectl command on a cluster of a test. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { resolveBinary } from '../../../local/binaries/resolve.ts';

const run = promisify(execFile);

export function kubectlOf(kubeconfigPath: string) {
  return async (args: readonly string[], input = ''): Promise<{ stdout: string; stderr: string }> => {
    const running = run(await resolveBinary('kubectl'), ['--kubeconfig', kubeconfigPath, ...args], {
      maxBuffer: 2 ** 26,
    });
    running.child.stdin?.end(input);
    return running;
  };
}
