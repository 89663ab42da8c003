/// <reference lib="esnext.disposable" preserve="true" />
/** The door for programs. */
import { askApi } from './http.ts';
import { tokenSourceFor } from './token.ts';
import { Pipelines } from './pipelines.ts';
import { connectWorkflows, type PipelineWorkflows, type TemporalOptions } from './workflows.ts';

export interface ConnectOptions {
  /** Address of the REST API, such as http://127.0.0.1:8088. */
  readonly api: string;
  /**
   * Of the API; a function is asked before each request. Default: `MILLRACE_API_TOKEN`; `MILLRACE_API_TOKEN_FILE`, read again for
   * each request; what `millrace login` has kept; or that of `millrace dev` on this machine.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** For `workflows`. Without it they are not there. */
  readonly temporal?: TemporalOptions;
}

export class Millrace implements AsyncDisposable {
  readonly pipelines: Pipelines;
  readonly #workflows: PipelineWorkflows | null;

  private constructor(pipelines: Pipelines, workflows: PipelineWorkflows | null) {
    this.pipelines = pipelines;
    this.#workflows = workflows;
  }

  static async connect({ api, token, temporal }: ConnectOptions): Promise<Millrace> {
    const ask = askApi(
      api,
      token === undefined ? await tokenSourceFor(api) : async () => (typeof token === 'string' ? token : token()),
    );
    return new Millrace(new Pipelines(ask), temporal ? await connectWorkflows(temporal) : null);
  }

  /** Changes that go on when this process ends. */
  get workflows(): PipelineWorkflows {
    if (!this.#workflows) throw new TypeError('Millrace.connect was not given `temporal`');
    return this.#workflows;
  }

  async close(): Promise<void> {
    await this.#workflows?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
