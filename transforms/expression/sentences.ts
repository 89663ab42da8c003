/**
 * What is wrong with an expression, in our words: one row for each code of cel-js. The only place that reads the
 * messages of cel-js; none of them reaches a person.
 *
 * S1  A code without a row has a generic sentence: the position in the expression shows the rest.
 * S2  The closures (`./compile.ts`) use the same sentences, so that it does not matter which of the two evaluated.
 */

/** What cel-js says with the code, without its drawing and its marks. */
type Say = (summary: string) => string;

const always =
  (sentence: string): Say =>
  () =>
    sentence;

/** Types in quotes, in their order: `got 'int' and 'string'`. */
function types(summary: string): readonly string[] {
  return [...summary.matchAll(/'([^']*)'/g)].flatMap(([, type]) => type ?? []);
}

const last = (summary: string) => types(summary).at(-1) ?? 'something else';

export const noField = (name: string) => `there is no field "${name}"`;
export const notBoolChoice = (type: string) => `a condition must be a bool, but is ${type}`;
export const notBoolOperand = (type: string) => `&& and || take bools, but one side is ${type}`;

function noFunction(summary: string): string {
  const [, receiver, name = '', given = ''] = /'(?:(.+)\.)?(\w+)\((.*)\)'/s.exec(summary) ?? [];
  const what = given === '' ? 'no argument' : `(${given})`;
  return `${name}() ${receiver === undefined ? '' : `of ${receiver} `}does not take ${what}`;
}

const unread = 'it cannot be read here';
const noEscape = 'what follows the backslash is no escape sequence of CEL';
const noOptional = 'an optional value must stand here';
const noEnd = 'the text that starts here does not end';

export const sentences: Readonly<Record<string, Say>> = {
  // -- reading
  unexpected_character: always(unread),
  unexpected_token: (said) => (said.endsWith('EOF') ? 'it ends where something must follow' : unread),
  expected_token: (said) => (said.endsWith('EOF') ? 'it ends where something must follow' : unread),
  reserved_identifier: always('this is a reserved word of CEL and cannot be a name'),
  invalid_number: always('this is not a number'),
  invalid_exponent: always('this is not a number'),
  newline_in_string: always('a text in single quotes must end on its line'),
  unterminated_string: always(noEnd),
  unterminated_triple_quoted_string: always(noEnd),
  bytes_unicode_escape: always(noEscape),
  invalid_unicode_escape: always(noEscape),
  invalid_unicode_surrogate: always(noEscape),
  invalid_hex_escape: always(noEscape),
  invalid_octal_escape: always(noEscape),
  octal_escape_out_of_range: always(noEscape),
  invalid_escape_sequence: always(noEscape),
  expression_must_be_string: always('an expression must be text'),
  limit_exceeded: (said) =>
    said.includes('maxDepth') ? 'the expression is nested too deep' : 'the expression has too many parts',
  invalid_macro_argument: (said) =>
    said.startsWith('has()')
      ? 'has() takes a field, such as has(record.a)'
      : 'a macro starts with a name, such as l.map(x, x + 1)',

  // -- types
  no_such_overload: (said) => `there is no operation ${said.replace(/^no such overload: /, '')}`,
  no_matching_overload: noFunction,
  unknown_variable: (said) => `unknown name "${said.replace('Unknown variable: ', '')}"`,
  no_such_key: (said) => noField(said.replace('No such key: ', '')),
  invalid_condition_type: (said) => notBoolChoice(last(said)),
  invalid_logical_operand: (said) => notBoolOperand(last(said)),
  incompatible_ternary_branches: (said) =>
    `both results of a choice must have one type, but are ${types(said).join(' and ')}`,
  incompatible_argument_type: (said) => `both values must have one type, but are ${types(said).join(' and ')}`,
  invalid_index_type: (said) =>
    `the index must be ${said.startsWith('List') ? 'an int' : 'a string'}, but is ${last(said)}`,
  cannot_index_type: (said) => `${last(said)} has neither fields nor elements`,
  invalid_comprehension_range: (said) => `a macro goes through a list or a map, not ${last(said)}`,
  heterogeneous_list_element: (said) => `elements must have one type, but are ${types(said).join(' and ')}`,
  heterogeneous_map_key: (said) => `keys must have one type, but are ${types(said).join(' and ')}`,
  heterogeneous_map_value: (said) => `values must have one type, but are ${types(said).join(' and ')}`,
  variable_type_mismatch: (said) => `a value has another type than was known: ${last(said)}`,
  field_type_mismatch: (said) => `a field has another type than was known: ${last(said)}`,
  list_item_type_mismatch: (said) => `an element has another type than was known: ${last(said)}`,
  unsupported_type: always('a value is of a type that expressions cannot use'),

  // -- values
  index_out_of_bounds: always('the list has no element at this index'),
  index_out_of_range: always('the index is outside of the text'),
  division_by_zero: always('division by zero'),
  modulo_by_zero: always('division by zero'),
  numeric_overflow: always('the result is an overflow: an int has 64 bits'),
  int_conversion_error: always('int() takes a number, or a text that is a whole number'),
  uint_conversion_error: always('uint() takes a number that is not negative, or a text that is one'),
  double_conversion_error: always('double() takes a number, or a text that is one'),
  bool_conversion_error: always('bool() takes true or false, or a text that is one'),
  invalid_timestamp: always('timestamp() takes a text such as 2026-01-31T09:30:00Z'),
  invalid_duration: always('duration() takes a text such as 1h30m'),
  invalid_regular_expression: always('the pattern is not a regular expression'),
  invalid_list_element_type: always('join() takes a list of texts'),
  invalid_comparison_type: always('the values cannot be compared'),
  optional_expected: always(noOptional),
  invalid_optional_argument: always(noOptional),
  optional_value_missing: always('the optional value is absent'),
};

/** S1. `phase`: whether it was being read and checked, or evaluated on a record. */
export function sentenceOf(code: string, summary: string, phase: 'check' | 'record'): string {
  const say = Object.hasOwn(sentences, code) ? sentences[code] : undefined;
  return say?.(summary) ?? (phase === 'check' ? 'it is not valid here' : 'it cannot be evaluated on this record');
}
