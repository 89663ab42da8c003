/** Which REST API a command is about. */
import type { Command } from 'commander';
import { CommandFailed, exitCodes } from './exit.ts';

export interface ApiOptions {
  readonly api?: string;
}

export function withApiOption(command: Command): Command {
  return command.option('--api <url>', 'address of the REST API; default: $MILLRACE_API');
}

export function addressOfApi({ api = process.env['MILLRACE_API'] }: ApiOptions): string {
  if (api === undefined) throw new CommandFailed(exitCodes.usage, 'Say which API: --api, or MILLRACE_API.');
  const url = URL.parse(api);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '') return api;
  throw new CommandFailed(exitCodes.usage, '--api must be an address such as https://millrace.example.com.');
}
