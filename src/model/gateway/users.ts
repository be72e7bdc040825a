/** Reads password files: Secrets with `auth`, as `htpasswd -B` writes it. */
import type { KubeObject } from '#api/object.ts';
import type { GatewayUsersIntent } from '#intent/gateway-policy.ts';
import { collectProblems, type Read } from '../problem.ts';
import { gatewayObject, readRaw } from './fields.ts';
import { decodeASCII } from './pem.ts';

/** A file of more is somebody's whole company: that wants externalAuth. */
const mostUsers = 10_000;

/** Messages show nothing of what is in it but where: a line's name may be a password by mistake. */
export function readUsers(object: KubeObject): Read<GatewayUsersIntent> {
  const { origin } = gatewayObject(object);
  const { problems, refuse } = collectProblems(origin);
  const field = 'data[auth]';
  const written = readRaw(object['data'], 'data', refuse)['auth'];
  const text = typeof written === 'string' ? decodeASCII(written) : undefined;
  if (text === undefined) {
    refuse(field, 'Required', 'is not there, or not a password file in ASCII');
    return { value: undefined, problems };
  }
  const users = new Map<string, string>();
  for (const [index, each] of text.split('\n').entries()) {
    const line = each.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const [name, hash] = [line.slice(0, colon), line.slice(colon + 1)];
    const problem = colon < 0 ? 'is not NAME:HASH' : (nameProblem(name) ?? hashProblem(hash));
    if (problem !== undefined) refuse(`${field}, line ${index + 1}`, 'PasswordUnusable', problem);
    else if (users.size >= mostUsers) {
      refuse(field, 'LimitExceeded', `has more than ${mostUsers} users; the others can't come in`);
      break;
    } else if (!users.has(name)) users.set(name, hash);
  }
  if (users.size === 0) {
    refuse(field, 'Required', 'has no user whose password can be checked');
    return { value: undefined, problems };
  }
  return { value: { origin, users: Object.fromEntries(users) }, problems };
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'has no name';
  return /^[ -~]{1,255}$/.test(name) ? undefined : 'has a name that is not printable, or too long';
}

const salt = '[./0-9A-Za-z]';
/** Those that are checked in less than half a second: a password's check keeps a worker of nginx busy. */
const known = [
  new RegExp(`^\\$2[aby]\\$(0[4-9]|1[0-2])\\$${salt}{53}$`),
  new RegExp(`^\\$apr1\\$${salt}{1,8}\\$${salt}{22}$`),
  new RegExp(`^\\$5\\$(rounds=[1-9][0-9]{3,4}\\$|rounds=100000\\$)?${salt}{1,16}\\$${salt}{43}$`),
  new RegExp(`^\\$6\\$(rounds=[1-9][0-9]{3,4}\\$|rounds=100000\\$)?${salt}{1,16}\\$${salt}{86}$`),
] as const;

const advice = 'use bcrypt (htpasswd -B)';

function hashProblem(hash: string): string | undefined {
  if (known.some((form) => form.test(hash))) return undefined;
  if (/^\{S?SHA\}/i.test(hash)) return `is by SHA-1, which is found out within hours; ${advice}`;
  if (/^\$2[aby]\$(1[3-9]|[23][0-9])\$/.test(hash))
    return 'is by bcrypt at a cost above 12, which takes too long';
  if (/^\$[56]\$rounds=/.test(hash)) return 'is by SHA-crypt with rounds that are not from 1000 to 100000';
  if (hash.startsWith('$1$')) return `is by MD5-crypt, which is found out within hours; ${advice}`;
  if (hash.startsWith('$')) return `is by no hash that is known here; ${advice}`;
  return `is in plain text, or by a hash of which nobody can tell; ${advice}`;
}
