/** ClickHouse's exceptions as its HTTP interface shows them: code, text, name, and the status that goes with the code. */

class ClickHouseException extends Error {
  override readonly name = 'ClickHouseException';
  readonly code: number;

  /** @param text begins with `Code: <n>. DB::Exception:` and ends with the name in parentheses. */
  constructor(code: number, text: string, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
  }
}

export function exception(code: number, name: string, message: string): ClickHouseException {
  return new ClickHouseException(code, `Code: ${code}. DB::Exception: ${message} (${name})`);
}

const leading = /^Code: (\d+)\. /;

/** What the engine threw, as an exception of ClickHouse. */
export function asException(error: unknown): ClickHouseException {
  if (error instanceof ClickHouseException) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = leading.exec(text)?.[1];
  if (code !== undefined) return new ClickHouseException(Number(code), text, { cause: error });
  // 1002: what ClickHouse itself gives for an exception that is not its own.
  return new ClickHouseException(1002, `Code: 1002. DB::Exception: ${text} (UNKNOWN_EXCEPTION)`, { cause: error });
}

/** As `exceptionCodeToHTTPStatus` of ClickHouse. */
export function httpStatusOf(code: number): number {
  for (const [status, codes] of Object.entries(statuses)) {
    if (codes.has(code)) return Number(status);
  }
  return 500;
}

const statuses: Readonly<Record<string, ReadonlySet<number>>> = {
  400: new Set([
    6, 25, 26, 27, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 131, 158, 164, 178, 308, 377, 441, 456, 457, 467,
  ]),
  401: new Set([194]),
  403: new Set([192, 193, 497, 511, 516]),
  404: new Set([46, 47, 50, 56, 60, 63, 73, 81, 99, 115, 336]),
  411: new Set([381]),
  413: new Set([223]),
  501: new Set([48]),
  503: new Set([209, 210]),
};
