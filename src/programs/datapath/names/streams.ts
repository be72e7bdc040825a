/** DNS by TCP (RFC 7766): the messages in what servers send to pods, segment by segment. Bounded, whatever they send. */
import type { TcpSegment } from '#net/tcp.ts';

export type DnsStream = {
  /** What was learnt from it last: what comes behind that waits for it, too, so that the pod gets all in order. */
  revision: number;
};

export type DnsStreams = {
  /**
   * The messages that this segment ends, in order. `stream` is undefined where the beginning wasn't seen or something is missing:
   * then nothing is read until a segment holds whole messages.
   */
  read(segment: TcpSegment): { readonly messages: readonly Uint8Array[]; readonly stream?: DnsStream };
};

export type StreamLimits = { readonly streams: number; readonly bytes: number };

/** Connections at once, and bytes of messages that aren't whole yet. */
export const streamLimits: StreamLimits = { streams: 1_000, bytes: 4 << 20 };
const lengthBytes = 2;

type State = DnsStream & { next: number; rest: Buffer };

export function createDnsStreams(limits: StreamLimits = streamLimits): DnsStreams {
  /** Who was heard of longest ago stands first. */
  const states = new Map<string, State>();
  let kept = 0;

  const forget = (key: string): void => {
    kept -= states.get(key)?.rest.length ?? 0;
    states.delete(key);
  };
  const bound = (): void => {
    for (const key of states.keys()) {
      if (states.size <= limits.streams && kept <= limits.bytes) return;
      forget(key);
    }
  };

  return {
    read(segment) {
      const { sequence, isSyn, isFin, isReset, payload } = segment;
      const key = `${segment.source} ${segment.sourcePort} ${segment.destination} ${segment.destinationPort}`;
      const start = (sequence + (isSyn ? 1 : 0)) >>> 0;
      let state = states.get(key);
      // Modulo 2^32 (RFC 9293 §3.4): how much of it was seen already. Less than nothing: something is missing.
      let seen = state === undefined ? -1 : (state.next - start) | 0;
      if (isSyn || state === undefined || seen < 0) {
        forget(key);
        // Whole messages and nothing else: one begins here, whatever was missed.
        if (!isSyn && !isWhole(payload)) return { messages: [] };
        state = { revision: state?.revision ?? 0, next: start, rest: Buffer.alloc(0) };
        seen = 0;
      }
      const fresh = payload.subarray(Math.min(seen, payload.length));
      states.delete(key);
      states.set(key, state);
      state.next = (state.next + fresh.length) >>> 0;
      const { messages, rest } = cut(Buffer.concat([state.rest, fresh]));
      kept += rest.length - state.rest.length;
      state.rest = rest;
      if (isFin || isReset) forget(key);
      else bound();
      return { messages, stream: state };
    },
  };
}

function isWhole(payload: Uint8Array): boolean {
  const { messages, rest } = cut(Buffer.from(payload));
  return messages.length > 0 && rest.length === 0;
}

/** Each message stands behind its length (RFC 1035 §4.2.2). */
function cut(bytes: Buffer): { readonly messages: readonly Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = [];
  let at = 0;
  while (at + lengthBytes <= bytes.length) {
    const end = at + lengthBytes + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + lengthBytes, end));
    at = end;
  }
  // A copy: a few bytes must not keep a whole segment.
  return { messages, rest: Buffer.from(bytes.subarray(at)) };
}
