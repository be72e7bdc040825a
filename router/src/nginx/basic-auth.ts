/**
 * Names and passwords. Verifying one takes milliseconds by design, so a thread does it, and what was found is remembered by a keyed hash for a
 * minute; whoever tries many is made to wait. What the client said goes no further than here.
 */
import {
  apr1,
  type Credentials,
  clientName,
  hashKind,
  isSame,
  readCredentials,
  type TokenRequest,
} from '../main.ts';
import { answer } from './answer.ts';
import { clientOf } from './client.ts';
import { refuse, refuseUntil } from './guard.ts';
import { giveBack, takeFrom, tokensOf } from './limits.ts';
import { headerOf } from './request.ts';
import type { Serving } from './serving.ts';

/** Seconds. */
const remembered = 60;
const mostRemembered = 4_096;
/** Passwords that nobody remembers, and that were wrong: of one client, and of all at one Secret. Milliseconds until one more is asked. */
const ofClient = { most: 20, interval: 6_000 };
const ofAll = { most: 40, interval: 250 };

/** So many may wait for the thread with passwords for one Secret: those for others get their turn. */
const mostWaiting = 4;
/** Seconds. */
const longestWait = 30;
type Queue = { waiting: number; readonly from: number };
const queues: Record<string, Queue | undefined> = {};

/** Until when (seconds since the epoch), by keyed hash. Apart, so that wrong ones don't push out the right ones. */
type Memory = { until: Record<string, number | undefined>; count: number };
const right: Memory = { until: {}, count: 0 };
const wrong: Memory = { until: {}, count: 0 };

/** Since when, by keyed hash: passwords that are being looked at. */
const verifying: Record<string, number | undefined> = {};
const pollSeconds = 0.002;

/** Drawn when the worker first needs it. */
let key: string | undefined;

/** Returns when the request may go on. */
export function askPassword(serving: Serving, policyKey: string): void {
  const policy = serving.table.policies[policyKey];
  const asked = policy === undefined ? undefined : policy.intent.basicAuth;
  if (asked === undefined) return;
  const users = asked.users === undefined ? undefined : serving.table.users[asked.users];
  if (users === undefined) answer(serving.pointer, 500);
  const credentials = credentialsOf(headerOf(serving.pointer, 'authorization'));
  if (credentials === undefined) challenge(serving, asked.realm);
  const hash = users.users[credentials.name];
  const isSomebody = hash !== undefined;
  const known = isKnown(serving, asked.users!, credentials, isSomebody ? hash : decoyOf(users.users));
  if (!known || !isSomebody) challenge(serving, asked.realm);
  ngx.req.clear_header('authorization');
}

function credentialsOf(header: string | undefined): Credentials | undefined {
  if (header === undefined || header.slice(0, 6).toLowerCase() !== 'basic ') return undefined;
  const text = ngx.decode_base64(header.slice(6).trim());
  return text === undefined ? undefined : readCredentials(text);
}

/** What a name that isn't there is verified by: that it isn't takes as long as a wrong password. */
function decoyOf(users: Readonly<Record<string, string>>): string {
  for (const name in users) return users[name]!;
  return '';
}

function isKnown(serving: Serving, secretName: string, credentials: Credentials, hash: string): boolean {
  const { name, password } = credentials;
  // With the hash in it, so that a password that was changed counts at once.
  const memory = ngx.hmac_sha1(keyOfWorker(), `${secretName}\0${hash}\0${name}\0${password}`);
  if (isRemembered(right, memory)) return true;
  // Who comes with many connections at once is asked once, and charged once.
  while (isBeingVerified(memory)) ngx.sleep(pollSeconds);
  if (isRemembered(right, memory)) return true;
  if (isRemembered(wrong, memory)) return false;
  const tokens = tokensFor(serving, secretName);
  const wait = takeFrom(tokens);
  if (wait > 0) refuseUntil(serving, 'password', wait);
  const queue = queueOf(secretName);
  if (queue.waiting >= mostWaiting) refuseUntil(serving, 'password', 1_000);
  queue.waiting += 1;
  verifying[memory] = ngx.now();
  const isRight = verify(password, hash);
  delete verifying[memory];
  queue.waiting -= 1;
  if (isRight !== false) giveBack(tokens);
  if (isRight === undefined) refuseUntil(serving, 'password', 1_000);
  remember(isRight ? right : wrong, memory);
  return isRight;
}

/** One that is long under way was given up, and its request with it. */
function isBeingVerified(memory: string): boolean {
  const since = verifying[memory];
  return since !== undefined && ngx.now() - since < longestWait;
}

function queueOf(secretName: string): Queue {
  const now = ngx.now();
  const known = queues[secretName];
  // Whoever waited that long is gone, and never said so.
  if (known !== undefined && known.from + longestWait > now) return known;
  const made = { waiting: 0, from: now };
  queues[secretName] = made;
  return made;
}

function tokensFor(serving: Serving, secretName: string): TokenRequest[] {
  const { address, text } = clientOf(serving);
  return [
    tokensOf(
      `password ${secretName}`,
      address === undefined ? text : clientName(address),
      ofClient.most,
      ofClient.interval,
    ),
    tokensOf(`passwords ${secretName}`, '', ofAll.most, ofAll.interval),
  ];
}

/** `undefined`: there are more to verify than there is room for. */
function verify(password: string, hash: string): boolean | undefined {
  const kind = hashKind(hash);
  if (kind === undefined) return false;
  if (kind === 'apr1')
    return isSame(
      apr1(password, hash, (bytes) => ngx.md5_bin(bytes)),
      hash,
    );
  if (kind === 'sha1') return isSame(`{SHA}${ngx.encode_base64(ngx.sha1_bin(password))}`, hash);
  const [done, made] = ngx.run_worker_thread('passwords', 'passwords', 'hashed', password, hash);
  if (!done || typeof made !== 'string') return undefined;
  // What can't be made is told as something that begins so; nobody's password hashes to it.
  return made.charCodeAt(0) !== 42 && isSame(made, hash);
}

function challenge(serving: Serving, realm: string): never {
  const [quoted] = string.gsub(realm, '[\\\\"]', '\\%0');
  const [safe] = string.gsub(quoted, '%c', ' ');
  ngx.header['WWW-Authenticate'] = `Basic realm="${safe}", charset="UTF-8"`;
  refuse(serving, 'password', 401);
}

function isRemembered(memory: Memory, name: string): boolean {
  const until = memory.until[name];
  return until !== undefined && until > ngx.now();
}

function remember(memory: Memory, name: string): void {
  if (memory.count >= mostRemembered) {
    memory.until = {};
    memory.count = 0;
  }
  memory.until[name] = ngx.now() + remembered;
  memory.count += 1;
}

function keyOfWorker(): string {
  if (key !== undefined) return key;
  const [file] = io.open('/dev/urandom', 'r');
  const bytes = file === undefined ? undefined : file.read(32);
  if (file !== undefined) file.close();
  key = bytes === undefined ? `${ngx.now()}${math.random()}` : bytes;
  return key;
}
