/** What is wrong with an expression, and where in it. */
import { EvaluationError, ParseError, TypeError as CelTypeError } from '@marcbachmann/cel-js';
import { sentenceOf } from './sentences.ts';

export interface ExpressionProblem {
  /** `unknownField`: a field that the schema does not name; it may be present anyway. */
  readonly kind: 'syntax' | 'type' | 'unknownName' | 'unknownField' | 'bound';
  readonly message: string;
  /** Characters of the source, from 0; `end` is after the last. */
  readonly start: number;
  readonly end: number;
  readonly suggestion?: string;
}

/**
 * Our sentence for an error (`./sentences.ts`). What cel-js says is given to it without the mark for a type that was
 * found only at run time: `dyn<string> + dyn<list<int>>` → `string + list<int>`.
 */
export function summaryOf(error: unknown): string {
  if (error instanceof EvaluationProblem) return error.message;
  if (!isCelError(error)) return sentenceOf('', '', 'record');
  // `matchesLinear` is what stands for `matches` there (`./bounded.ts`).
  const said = withoutDyn(error.summary).replaceAll('matchesLinear', 'matches');
  return sentenceOf(error.code, said, error instanceof EvaluationError ? 'record' : 'check');
}

function withoutDyn(text: string): string {
  const at = text.indexOf('dyn<');
  if (at < 0) return text;
  let depth = 0;
  let end = at + 3;
  do {
    if (text[end] === '<') depth++;
    if (text[end] === '>') depth--;
    end++;
  } while (depth > 0 && end < text.length);
  return withoutDyn(text.slice(0, at) + text.slice(at + 4, end - 1) + text.slice(end));
}

export function isCelError(error: unknown): error is ParseError | EvaluationError | CelTypeError {
  return error instanceof ParseError || error instanceof EvaluationError || error instanceof CelTypeError;
}

/** What is to be done about it: a field that lacks, a divisor, the expression itself, or one of both. */
type Cause = 'field' | 'divisor' | 'expression' | 'either';

const advice: Readonly<Record<Cause, string>> = {
  field: 'Guard the field with has(), or correct the producer; to get this record too, send it again.',
  divisor:
    'Say in the expression what a divisor of 0 gives, such as `record.n == 0 ? 0 : record.sum / record.n`; to get this record too, send it again.',
  expression: 'Correct the expression: the record need not be at fault; to get it too, send it again.',
  either: 'Correct the expression, or the producer if the record is at fault; to get this record too, send it again.',
};

/** By code of cel-js; all others may be the fault of either. */
const causes: Readonly<Partial<Record<string, Cause>>> = {
  no_such_key: 'field',
  division_by_zero: 'divisor',
  modulo_by_zero: 'divisor',
  invalid_condition_type: 'expression',
  invalid_logical_operand: 'expression',
  numeric_overflow: 'expression',
};

/** What a dead letter says to do. */
export function adviceOn(error: unknown): string {
  if (error instanceof EvaluationProblem) return advice[error.fault];
  return advice[(isCelError(error) ? causes[error.code] : undefined) ?? 'either'];
}

/** The record cannot be evaluated: a missing key, a wrong type, a division by zero. */
export class EvaluationProblem extends Error {
  override readonly name = 'EvaluationProblem';
  readonly fault: Cause;

  constructor(message: string, fault: Cause = 'either') {
    super(message);
    this.fault = fault;
  }
}
