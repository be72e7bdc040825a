/** The quantity, format and optional libraries. */
import { type Environment, Optional } from '@marcbachmann/cel-js';
import { hasFormat } from '../formats.ts';
import { formatQuantity, parseQuantity, type Quantity } from '../quantity.ts';
import { nameProblem } from '../semantics/metadata.ts';
import { labelKeyProblem, labelValueProblem } from '../semantics/names.ts';
import { celEqual, define, defineNamespace, fail } from './functions.ts';

class QuantityValue {
  readonly quantity: Quantity;
  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }
  valueOf(): bigint {
    return this.quantity.nanos;
  }
}

class NamedFormat {
  readonly problemOf: (text: string) => string | undefined;
  constructor(problemOf: (text: string) => string | undefined) {
    this.problemOf = problemOf;
  }
}

const quantityType = 'kubernetes.Quantity';
const formatType = 'kubernetes.NamedFormat';
const billion = 1_000_000_000n;
const maxInt = 2n ** 63n;

/** quantity(), isQuantity() and its methods; format.*; optional.ofNonZeroValue. */
export function addValues(environment: Environment): void {
  addQuantities(environment);
  addFormats(environment);
  // As the server has it: an optional may be compared with null, and never equals it.
  environment.registerOperator('optional<list<string>> == null', () => false);
  environment.registerOperator('optional<A> == optional<A>', (a: Optional, b: Optional) =>
    a.hasValue() && b.hasValue() ? celEqual(a.value(), b.value()) : a.hasValue() === b.hasValue(),
  );
  define(environment, 'OptionalNamespace.ofNonZeroValue(A): optional<A>', (_, value: unknown) =>
    isZero(value) ? Optional.none() : Optional.of(value),
  );
}

function addQuantities(environment: Environment): void {
  const type = quantityType;
  const of = (nanos: bigint, like: QuantityValue) => new QuantityValue({ nanos, form: like.quantity.form });
  const nanosOf = (other: QuantityValue | bigint) =>
    typeof other === 'bigint' ? other * billion : other.quantity.nanos;
  environment.registerType(type, { ctor: QuantityValue, fields: {} });
  environment.registerOperator(
    `${type} == ${type}`,
    (a: QuantityValue, b: QuantityValue) => a.quantity.nanos === b.quantity.nanos,
  );
  define(environment, 'isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined);
  define(environment, `quantity(string): ${type}`, (text: string) => {
    const quantity = parseQuantity(text);
    return quantity === undefined
      ? fail("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
      : new QuantityValue(quantity);
  });
  define(environment, `string(${type}): string`, (each: QuantityValue) => formatQuantity(each.quantity));
  define(environment, `${type}.sign(): int`, ({ quantity }: QuantityValue) =>
    quantity.nanos > 0n ? 1n : quantity.nanos < 0n ? -1n : 0n,
  );
  const isInteger = ({ quantity: { nanos } }: QuantityValue) =>
    nanos % billion === 0n && nanos / billion < maxInt && nanos / billion >= -maxInt;
  define(environment, `${type}.isInteger(): bool`, isInteger);
  define(environment, `${type}.asInteger(): int`, (each: QuantityValue) =>
    isInteger(each) ? each.quantity.nanos / billion : fail('cannot convert value to integer'),
  );
  define(
    environment,
    `${type}.asApproximateFloat(): double`,
    (each: QuantityValue) => Number(each.quantity.nanos) / 1e9,
  );
  define(
    environment,
    `${type}.isGreaterThan(${type}): bool`,
    (a: QuantityValue, b: QuantityValue) => a.quantity.nanos > b.quantity.nanos,
  );
  define(
    environment,
    `${type}.isLessThan(${type}): bool`,
    (a: QuantityValue, b: QuantityValue) => a.quantity.nanos < b.quantity.nanos,
  );
  define(environment, `${type}.compareTo(${type}): int`, (a: QuantityValue, b: QuantityValue) =>
    a.quantity.nanos < b.quantity.nanos ? -1n : a.quantity.nanos > b.quantity.nanos ? 1n : 0n,
  );
  for (const other of [type, 'int']) {
    define(environment, `${type}.add(${other}): ${type}`, (a: QuantityValue, b: QuantityValue | bigint) =>
      of(a.quantity.nanos + nanosOf(b), a),
    );
    define(environment, `${type}.sub(${other}): ${type}`, (a: QuantityValue, b: QuantityValue | bigint) =>
      of(a.quantity.nanos - nanosOf(b), a),
    );
  }
}

const notOf = (format: string) => (text: string) =>
  hasFormat(format, text) ? undefined : `must be a valid ${format}`;
const prefixOf = (rule: 'label' | 'label1035' | 'subdomain') => (text: string) =>
  nameProblem(text.replace(/-$/, 'a'), rule);

const formats: Readonly<Record<string, (text: string) => string | undefined>> = {
  dns1123Label: (text) => nameProblem(text, 'label'),
  dns1123Subdomain: (text) => nameProblem(text, 'subdomain'),
  dns1035Label: (text) => nameProblem(text, 'label1035'),
  dns1123LabelPrefix: prefixOf('label'),
  dns1123SubdomainPrefix: prefixOf('subdomain'),
  dns1035LabelPrefix: prefixOf('label1035'),
  qualifiedName: labelKeyProblem,
  labelValue: labelValueProblem,
  uri: notOf('uri'),
  uuid: notOf('uuid'),
  byte: notOf('byte'),
  date: notOf('date'),
  datetime: notOf('datetime'),
};

function addFormats(environment: Environment): void {
  environment.registerType(formatType, { ctor: NamedFormat, fields: {} });
  const named = Object.entries(formats).map(
    ([name, problemOf]) => [name, new NamedFormat(problemOf)] as const,
  );
  const byName = new Map(named);
  defineNamespace(environment, 'format', {
    ...Object.fromEntries(named.map(([name, format]) => [`${name}(): ${formatType}`, () => format])),
    [`named(string): optional<${formatType}>`]: (name: string) => {
      const format = byName.get(name);
      return format === undefined ? Optional.none() : Optional.of(format);
    },
  });
  define(
    environment,
    `${formatType}.validate(string): optional<list<string>>`,
    (format: NamedFormat, text: string) => {
      const problem = format.problemOf(text);
      return problem === undefined ? Optional.none() : Optional.of([problem]);
    },
  );
}

function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === false || value === 0 || value === 0n) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return value instanceof Map && value.size === 0;
}
