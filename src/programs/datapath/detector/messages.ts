/** What detectors say to each other, in one UDP datagram each: JSON, so that a newer one may say more. Pure. */

export type Message =
  /** Does your datapath live? */
  | { readonly kind: 'ask' }
  /** `absent`: whoever answers takes the asker for dead or silent, or did a moment ago, where virtual addresses are concerned. */
  | { readonly kind: 'answer'; readonly absent: boolean }
  /** What a watcher found of a node; `for`: milliseconds that it has been so. */
  | {
      readonly kind: 'report';
      readonly about: string;
      readonly state: PeerState;
      readonly for: number;
    }
  /** The datapath has begun: who found something says it again. */
  | { readonly kind: 'hello' }
  /** The datapath ends and comes back. */
  | { readonly kind: 'pause'; readonly for: number }
  /** Virtual addresses that the sender answers for, and for how many milliseconds it has; `informed`: its agent lives. */
  | {
      readonly kind: 'claim';
      readonly informed: boolean;
      readonly held: readonly (readonly [address: string, age: number])[];
    }
  /** Virtual addresses that `node` claimed before it paused, for so many milliseconds yet: for who wasn't there to hear of either. */
  | {
      readonly kind: 'kept';
      readonly node: string;
      readonly for: number;
      readonly addresses: readonly string[];
    }
  /** Those that it answers for no longer. */
  | { readonly kind: 'release'; readonly addresses: readonly string[] };

/** `lost`: its kernel doesn't answer; `silent`: its datapath doesn't. */
export type PeerState = 'well' | 'lost' | 'silent';

const version = 1;
const states: readonly unknown[] = ['well', 'lost', 'silent'];
/** Bytes: two names of nodes have at most 253 each. */
export const longestMessage = 1024;

export function encodeMessage(from: string, message: Message): Buffer {
  return Buffer.from(JSON.stringify({ v: version, from, ...message }));
}

/** Undefined for what is no message of a version that we know. */
export function decodeMessage(
  datagram: Buffer,
): { readonly from: string; readonly message: Message } | undefined {
  if (datagram.length > longestMessage) return undefined;
  let body: Readonly<Record<string, unknown>>;
  try {
    body = JSON.parse(datagram.toString('utf8')) as typeof body;
  } catch {
    return undefined;
  }
  if (body === null || typeof body !== 'object' || body['v'] !== version) return undefined;
  const { from } = body;
  if (typeof from !== 'string') return undefined;
  const message = readMessage(body);
  return message === undefined ? undefined : { from, message };
}

function readMessage(body: Readonly<Record<string, unknown>>): Message | undefined {
  const milliseconds = typeof body['for'] === 'number' && body['for'] >= 0 ? body['for'] : undefined;
  switch (body['kind']) {
    case 'ask':
    case 'hello':
      return { kind: body['kind'] };
    case 'answer':
      return { kind: 'answer', absent: body['absent'] === true };
    case 'pause':
      return milliseconds === undefined ? undefined : { kind: 'pause', for: milliseconds };
    case 'report': {
      const { about, state } = body;
      if (typeof about !== 'string' || !states.includes(state) || milliseconds === undefined)
        return undefined;
      return { kind: 'report', about, state: state as PeerState, for: milliseconds };
    }
    case 'claim': {
      const { held } = body;
      if (!Array.isArray(held) || !held.every(isHeld)) return undefined;
      return { kind: 'claim', informed: body['informed'] === true, held };
    }
    case 'kept': {
      const { node } = body;
      const addresses = stringsOf(body['addresses']);
      if (typeof node !== 'string' || milliseconds === undefined || addresses === undefined) return undefined;
      return { kind: 'kept', node, for: milliseconds, addresses };
    }
    case 'release': {
      const addresses = stringsOf(body['addresses']);
      return addresses === undefined ? undefined : { kind: 'release', addresses };
    }
    default:
      return undefined;
  }
}

function stringsOf(all: unknown): readonly string[] | undefined {
  return Array.isArray(all) && all.every((each) => typeof each === 'string') ? all : undefined;
}

function isHeld(each: unknown): each is [string, number] {
  return Array.isArray(each) && typeof each[0] === 'string' && typeof each[1] === 'number' && each[1] >= 0;
}
