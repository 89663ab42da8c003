/** Columns as kubectl prints them: three spaces between, no borders, so that grep, awk and cut work. */

export function columns(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Lines `label:   value` with aligned values. */
export function fields(pairs: readonly (readonly [label: string, value: string])[], indent = ''): string {
  const width = Math.max(...pairs.map(([label]) => label.length)) + 1;
  return pairs.map(([label, value]) => `${indent}${`${label}:`.padEnd(width)}   ${value}\n`).join('');
}
