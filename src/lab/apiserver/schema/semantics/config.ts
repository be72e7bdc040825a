/** ConfigMaps, Secrets and ServiceAccounts. */
import type { FieldProblem } from '../../types.ts';
import { equal, type PlainObject } from '../plain.ts';
import { forbidden, invalid, keyed, required, tooLong } from '../problems.ts';
import { at, ensure, type Fields, fill, immutable, text } from './fields.ts';
import { configKeyProblem } from './names.ts';
import type { Semantics } from './semantics.ts';

const mebibyte = 1024 * 1024;

export const configMapSemantics: Semantics = {
  check(object, old) {
    const data = at(object, 'data');
    const binary = at(object, 'binaryData');
    const problems = [...checkKeys(data, 'data'), ...checkKeys(binary, 'binaryData')];
    for (const key of Object.keys(binary)) {
      if (Object.hasOwn(data, key))
        problems.push(invalid(keyed('data', key), key, 'duplicate of key present in binaryData'));
    }
    const size = [...Object.values(data), ...Object.values(binary)].reduce<number>(
      (sum, value) => sum + Buffer.byteLength(text(value)),
      0,
    );
    if (size > mebibyte) problems.push(tooLong('', mebibyte));
    return [...problems, ...checkFrozen(object, old, ['data', 'binaryData'])];
  },
};

/** Keys of a Secret's data by its type. */
const neededKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

export const secretSemantics: Semantics = {
  normalize(object) {
    const secret = object as Fields;
    fill(secret, { type: 'Opaque' });
    const given = at(secret, 'stringData');
    if (Object.keys(given).length > 0) {
      const data = ensure(secret, 'data');
      for (const [key, value] of Object.entries(given))
        data[key] = Buffer.from(text(value)).toString('base64');
    }
    // Write-only: what is stored is in data.
    delete secret.stringData;
    return secret;
  },
  check(object, old) {
    const data = at(object, 'data');
    const problems = [...checkKeys(data, 'data')];
    const size = Object.values(data).reduce<number>(
      (sum, value) => sum + Buffer.byteLength(text(value), 'base64'),
      0,
    );
    if (size > mebibyte) problems.push(tooLong('data', mebibyte));
    for (const key of neededKeys[text(object.type)] ?? []) {
      if (!Object.hasOwn(data, key)) problems.push(required(keyed('data', key)));
    }
    if (
      object.type === 'kubernetes.io/basic-auth' &&
      !Object.hasOwn(data, 'username') &&
      !Object.hasOwn(data, 'password')
    ) {
      problems.push(required('data[username]'), required('data[password]'));
    }
    const account = at(object, 'metadata', 'annotations')['kubernetes.io/service-account.name'];
    if (object.type === 'kubernetes.io/service-account-token' && text(account) === '') {
      problems.push(required('metadata.annotations[kubernetes.io/service-account.name]'));
    }
    if (old !== undefined) problems.push(...immutable(object as Fields, old as Fields, '', 'type'));
    return [...problems, ...checkFrozen(object, old, ['data'])];
  },
};

function checkKeys(data: Fields, path: string): FieldProblem[] {
  return Object.keys(data).flatMap((key) => {
    const problem = configKeyProblem(key);
    return problem === undefined ? [] : [invalid(keyed(path, key), key, problem)];
  });
}

/** `immutable: true` holds for the data and for itself. */
function checkFrozen(
  object: PlainObject,
  old: PlainObject | undefined,
  fields: readonly string[],
): readonly FieldProblem[] {
  if (old?.immutable !== true) return [];
  const problems: FieldProblem[] = [];
  if (object.immutable !== true)
    problems.push(forbidden('immutable', 'field is immutable when `immutable` is set'));
  for (const field of fields) {
    if (!equal(at(object, field), at(old, field)))
      problems.push(forbidden(field, 'field is immutable when `immutable` is set'));
  }
  return problems;
}
