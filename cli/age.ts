/** How long ago, in the two largest units that matter, as kubectl says it: `8s`, `3m12s`, `5h`, `12d`. */
export function age(from: string | null | undefined, nowMs: number): string {
  if (from === null || from === undefined) return '';
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(from)) / 1000));
  if (Number.isNaN(seconds)) return '';
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  return `${days}d`;
}
