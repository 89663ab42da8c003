/** Lint issues as text: for people (with the lines around them), for programs, as annotations of GitHub. */
import type { LintedText, LintIssue } from '../crds/lint.ts';

export interface LintedFile extends LintedText {
  readonly name: string;
}

export const formats = ['pretty', 'json', 'github'] as const;
export type Format = (typeof formats)[number];

export function lintReport(files: readonly LintedFile[], format: Format): string {
  switch (format) {
    case 'pretty':
      return files.map(pretty).join('');
    case 'json':
      return `${JSON.stringify(
        files.map(({ name, issues }) => ({ file: name, issues })),
        null,
        2,
      )}\n`;
    case 'github':
      return files.flatMap(({ name, issues }) => issues.map((issue) => github(name, issue))).join('');
  }
}

/** `3 errors, 1 warning in 2 files`. */
export function lintSummary(files: readonly LintedFile[]): string {
  const issues = files.flatMap((file) => file.issues);
  const errors = issues.filter(({ severity }) => severity === 'error').length;
  return `${count(errors, 'error')}, ${count(issues.length - errors, 'warning')} in ${count(files.length, 'file')}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function pretty({ name, shown, issues }: LintedFile): string {
  const lines = shown.split('\n');
  return issues.map((issue) => `${header(name, issue)}\n${frame(lines, issue)}\n`).join('');
}

/** `orders.yaml:6:9 error MR_SPEC_UNKNOWN_FIELD spec.sources[0]: unknown field "topik". Did you mean "topic"?` */
function header(name: string, { line, column, severity, code, message }: LintIssue): string {
  const place = line === undefined ? name : `${name}:${line}:${column ?? 1}`;
  return `${place} ${severity} ${code} ${message}`;
}

const linesBefore = 2;

function frame(lines: readonly string[], { line, column = 1, endColumn }: LintIssue): string {
  if (line === undefined) return '';
  const first = Math.max(1, line - linesBefore);
  const width = String(line).length;
  const shown = lines.slice(first - 1, line).map((content, i) => `  ${String(first + i).padStart(width)} | ${content}`);
  const marks = '^'.repeat(Math.max(1, (endColumn ?? column + 1) - column));
  return `${[...shown, `  ${' '.repeat(width)} | ${' '.repeat(column - 1)}${marks}`].join('\n')}\n`;
}

function github(file: string, { severity, line, column, endColumn, code, message }: LintIssue): string {
  const place = [
    `file=${escaped(file, true)}`,
    ...(line === undefined ? [] : [`line=${line}`, `col=${column ?? 1}`]),
    ...(endColumn === undefined ? [] : [`endColumn=${endColumn}`]),
    `title=${code}`,
  ];
  return `::${severity} ${place.join(',')}::${escaped(message, false)}\n`;
}

function escaped(text: string, isProperty: boolean): string {
  const data = text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  return isProperty ? data.replaceAll(':', '%3A').replaceAll(',', '%2C') : data;
}
