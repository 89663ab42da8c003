/** What the engine wants to be told before it makes a table with types that are new or odd. */
export const permissive = {
  enable_time_time64_type: 1,
  allow_experimental_qbit_type: 1,
  enable_nullable_tuple_type: 1,
  allow_suspicious_low_cardinality_types: 1,
  allow_suspicious_variant_types: 1,
} as const;
