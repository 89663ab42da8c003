/// <reference lib="esnext.disposable" preserve="true" />
/** The door for programs. */
import { askApi } from './http.ts';
import { Pipelines } from './pipelines.ts';
import { connectWorkflows, type PipelineWorkflows, type TemporalOptions } from './workflows.ts';

export interface ConnectOptions {
  /** Address of the REST API, such as http://127.0.0.1:8088. */
  readonly api: string;
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

  static async connect({ api, temporal }: ConnectOptions): Promise<Millrace> {
    return new Millrace(new Pipelines(askApi(api)), temporal ? await connectWorkflows(temporal) : null);
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
