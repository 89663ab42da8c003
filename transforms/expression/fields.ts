/** What is known about the fields of a record while an expression is checked: CEL types by name; null = nothing is known. */
export type KnownFields = ReadonlyMap<string, string> | null;
