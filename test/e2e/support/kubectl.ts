/** The real kubectl against the stack's API server, as a user runs it. */
import { execFile } from 'node:child_process';
import { resolveBinary } from '../../../local/binaries/resolve.ts';

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Kubectl {
  readonly #kubeconfig: string;

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
  }

  /** Runs kubectl and returns what it said, whatever its exit code. */
  async try(args: readonly string[], stdin?: string): Promise<Output> {
    const path = await resolveBinary('kubectl');
    return await new Promise((resolve, reject) => {
      const child = execFile(
        path,
        ['--kubeconfig', this.#kubeconfig, ...args],
        { maxBuffer: 64 * 2 ** 20 },
        (error, stdout, stderr) => {
          if (error !== null && typeof error.code !== 'number')
            reject(new Error('kubectl did not run', { cause: error }));
          else resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
        },
      );
      // A kubectl that fails before it reads says why on standard error; the broken pipe says nothing more.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(stdin ?? '');
    });
  }

  /** Runs kubectl and returns its standard output; throws with both outputs when it fails. */
  async run(args: readonly string[], stdin?: string): Promise<string> {
    const { code, stdout, stderr } = await this.try(args, stdin);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}:\n${stderr}${stdout}`);
    return stdout;
  }

  async apply(object: object): Promise<string> {
    return await this.run(['apply', '-f', '-'], JSON.stringify(object));
  }

  /** The object, or undefined when it does not exist. */
  async get(resource: string, name: string, namespace: string): Promise<unknown> {
    const { code, stdout, stderr } = await this.try(['get', resource, name, '-n', namespace, '-o', 'json']);
    if (code === 0) return JSON.parse(stdout);
    if (stderr.includes('NotFound')) return undefined;
    throw new Error(`kubectl get ${resource} ${name}: ${stderr}`);
  }
}
