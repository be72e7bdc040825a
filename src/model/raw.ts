/** JSON that nobody has checked, field by field. `null` is as good as absent, as the API server has it. */

export type Raw = Readonly<Record<string, unknown>>;

/** An object's fields; of anything else `undefined`. */
export function rawOf(value: unknown): Raw | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : undefined;
}

/** Names of the fields that are set. */
export function fieldsOf(raw: Raw): readonly string[] {
  return Object.keys(raw).filter((name) => raw[name] !== undefined && raw[name] !== null);
}

/** Names of the fields that are set and not among those given. */
export function strangersOf(raw: Raw, known: readonly string[]): readonly string[] {
  return fieldsOf(raw).filter((name) => !known.includes(name));
}

/** A value as a message shows it: one line, not too long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
