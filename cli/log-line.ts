/**
 * A line of a pod's log for people: time, pod, level, message, then the other fields.
 *
 * L1  A line in another format is printed as it is, after the name of its pod.
 * L2  What the reader already knows (pipeline, namespace, stage, pod) is left out.
 * L3  A stack trace is left out, too; `--output json` has it.
 */
import { z } from 'zod';
import { jsonOrNothing } from '../model/json-or-nothing.ts';

const line = z.looseObject({ level: z.union([z.string(), z.number()]), msg: z.string().optional() });

const known = new Set(['level', 'time', 'msg', 'pipeline', 'namespace', 'stage', 'pod', 'pid', 'hostname', 'name']);

export function readableLine(pod: string, text: string): string {
  // L1.
  const parsed = line.safeParse(jsonOrNothing(text));
  if (!parsed.success) return `${pod} ${text}`;
  const { level, time, msg = '', ...rest } = parsed.data;
  const more = Object.entries(rest).flatMap(([name, value]) => (known.has(name) ? [] : fieldOf(name, value)));
  return [timeOf(time), pod, nameOf(level), msg, ...more].filter((part) => part !== '').join(' ');
}

const levels: Readonly<Record<string, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

function nameOf(level: string | number): string {
  return (levels[level] ?? String(level).toUpperCase()).padEnd(5);
}

/** Takes milliseconds since 1970, or ISO 8601; shows the time of day, which is enough for a log that is read now. */
function timeOf(time: unknown): string {
  const at = typeof time === 'number' || typeof time === 'string' ? new Date(time) : undefined;
  return at === undefined || Number.isNaN(at.getTime()) ? '' : at.toISOString().slice(11, 23);
}

const error = z.looseObject({ message: z.string(), code: z.string().optional() });

function fieldOf(name: string, value: unknown): readonly string[] {
  const failed = error.safeParse(value);
  if (failed.success) return [`${name}=${quoted(failed.data.message)}`];
  const words = z.record(z.string(), z.unknown()).safeParse(value);
  // One level is enough: `connection.state=Disconnected`.
  if (words.success) {
    return Object.entries(words.data).map(([inner, member]) => `${name}.${inner}=${quoted(plain(member))}`);
  }
  return [`${name}=${quoted(plain(value))}`];
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function quoted(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
