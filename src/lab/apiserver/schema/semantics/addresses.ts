/** Addresses that Services and endpoints may have. */
import { isIP } from 'node:net';
import type { FieldProblem } from '../../types.ts';
import { invalid } from '../problems.ts';

/** An address that packets can be sent to from elsewhere. */
export function checkUsableAddress(address: string, path: string): readonly FieldProblem[] {
  if (isIP(address) === 0)
    return [invalid(path, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  const refused: readonly (readonly [RegExp, string])[] = [
    [/^(?:0\.0\.0\.0|::)$/, 'may not be unspecified'],
    [/^(?:127\.|::1$)/, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    [/^(?:169\.254\.|fe[89ab])/i, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    [/^(?:224\.0\.0\.|ff02:)/i, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
  ];
  const found = refused.find(([pattern]) => pattern.test(address));
  return found === undefined ? [] : [invalid(path, address, found[1])];
}
