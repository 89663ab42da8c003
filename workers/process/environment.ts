/** Parses the environment of a process once. An error names the variable. */
import { z } from 'zod';
import { mr } from '../../model/errors.ts';
import { demandOf } from '../../model/schema-problem.ts';

/** Levels that a log can have. */
export const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info');

/** Variables of every process of the control plane, beside those of its servers (`./nats.ts`, `./temporal.ts`). */
export const controlPlane = { KUBECONFIG: z.string().optional(), MILLRACE_LOG_LEVEL: logLevel };

/** Throws MR_ENVIRONMENT_INVALID. The value is not repeated: a variable may hold a secret. */
export function readEnvironment<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const variable = issue?.path.join('.') ?? 'the environment';
  throw mr('MR_ENVIRONMENT_INVALID', { variable, problem: problemOf(issue, env[variable]) });
}

function problemOf(issue: z.core.$ZodIssue | undefined, value: string | undefined): string {
  if (issue?.code === 'custom') return issue.message;
  if (value === undefined) return 'it is not set';
  const must = issue === undefined ? undefined : demandOf(issue);
  return must === undefined ? 'it does not parse' : `it ${must}`;
}
