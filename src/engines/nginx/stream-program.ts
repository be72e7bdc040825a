/**
 * Where connections go that aren't HTTP's: the program of nginx's stream part, in njs.
 *
 * It is asked once a connection, and answers from small files that engines/nginx/stream.ts replaces by renaming: a change needs no reload,
 * is in force when the rename is done, and outlives workers, nginx and the gateway's own program. njs is a small JavaScript: no classes,
 * no destructuring, no spread, no Map. This file is all of the program.
 */
import fs from 'node:fs';
import type { Slot } from './stream-slot.ts';

export type Session = {
  readonly variables: Record<string, string | undefined>;
  readonly status: number;
  allow(): void;
  deny(): void;
  on(event: 'upstream', callback: (data: Uint8Array, flags: unknown) => void): void;
  off(event: 'upstream'): void;
  send(data: Uint8Array | string, flags?: unknown): void;
};

type Dictionary = {
  has(key: string): boolean;
  incr(key: string, by: number): number;
  set(key: string, value: number): void;
  /** Bytes. */
  freeSpace(): number;
  items(atMost: number): [key: string, value: number][];
};

declare const ngx: {
  readonly shared: { readonly turns: Dictionary; readonly failures: Dictionary; readonly counts: Dictionary };
};

const directory = '/run/netloom-gateway';
const closed = `unix:${directory}/closed.sock`;
const tlsBase = 10_200;
const proxyOffset = 1000;
/** Bytes of the counts' memory that stay free: routes beyond are counted together. */
const countsReserve = 64 * 1024;

/** Route that this connection is counted for; undefined: by somebody else. Each connection has its own of all that stands here. */
let counted: string | undefined;

/** Target of a connection to a `tls` slot, whose name is known by now: an endpoint, or the socket where TLS ends. */
export function tls(s: Session): string {
  const slot = slotOf(s);
  const found = find(`${directory}/stream/tls/${slot}`, s.variables['ssl_preread_server_name']);
  counted = found === undefined ? '' : undefined;
  if (found === undefined) return closed;
  if (found.to === 'https') return `unix:${directory}/https-${slot - tlsBase}.sock`;
  if (found.to === 'terminate') return `unix:${directory}/terminate.sock`;
  if (found.to === 'terminate13') return `unix:${directory}/terminate13.sock`;
  return endpoint(found) || closed;
}

/** Puts a PROXY header before what goes to our own sockets, which thus learn whom they speak to and at which slot. */
export function introduce(s: Session): void {
  const target = s.variables['tls_target'] || closed;
  if (target === closed) {
    swallow(s);
  } else if (
    target.startsWith(`unix:${directory}/https-`) ||
    target.startsWith(`unix:${directory}/terminate`)
  ) {
    s.on('upstream', (data, flags) => {
      s.send(proxyHeader(s.variables));
      s.send(data, flags);
      s.off('upstream');
    });
  }
}

/** What comes behind TLS that ended here, where it can go nowhere. */
export function hush(s: Session): void {
  if ((s.variables['terminated_target'] || closed) === closed) swallow(s);
}

/** Certificate and key of a connection whose TLS ends here, as nginx's `data:` wants them. */
export function certificate(s: Session): string {
  const name = s.variables['ssl_server_name'];
  const found = find(`${directory}/stream/tls/${introducedSlot(s)}`, name);
  const file = found === undefined ? undefined : certificateFor(found.certificates, name);
  return (file !== undefined && read(`${directory}/stream/certificates/${file}`)) || '';
}

/** Target of a connection whose TLS ended here. */
export function terminated(s: Session): string {
  const found = find(`${directory}/stream/tls/${introducedSlot(s)}`, s.variables['ssl_server_name']);
  return (found !== undefined && endpoint(found)) || closed;
}

/** Lets a connection to a `tcp` slot in if there is an endpoint for it. */
export function tcp(s: Session): void {
  admit(s, `${directory}/stream/tcp/${slotOf(s)}`);
}

/** As `tcp`. */
export function udp(s: Session): void {
  admit(s, `${directory}/stream/udp/${slotOf(s)}`);
}

/** Asked at the end of a connection: it is counted, and an endpoint that couldn't be reached is left out for a while. */
export function outcome(s: Session): string {
  const target = s.variables['upstream_addr'];
  const failed = s.status === 502 && !!target && target !== closed;
  if (failed && target) ngx.shared.failures.set(target, 1);
  if (counted !== undefined) {
    const refused = !target || target === closed;
    count(counted, refused ? 'refused' : failed ? 'failed' : 'served', 1);
    count(counted, 'received', Number(s.variables['bytes_received']));
    count(counted, 'sent', Number(s.variables['bytes_sent']));
  }
  return '';
}

/** All counts as JSON: `[["ROUTE WHAT", NUMBER], …]`. */
export function tell(): string {
  return JSON.stringify(ngx.shared.counts.items(1_000_000));
}

/** The entry of the most exact of a slot's names that takes `name`. */
export function find(path: string, name: string | undefined): Slot | undefined {
  const names = patterns(name);
  for (let i = 0; i < names.length; i++) {
    const text = names[i] === '*' ? read(`${path}/*`) : readIfThere(`${path}/${names[i]}`);
    if (text !== undefined) return JSON.parse(text) as Slot;
  }
  return undefined;
}

/** Names of files, from exact to any: `a.b.c`, `*.b.c`, `*.c`, `*`. What can't be a server's name is taken by any only. */
export function patterns(name: string | undefined): string[] {
  let rest = (name || '').toLowerCase();
  if (rest.endsWith('.')) rest = rest.slice(0, -1);
  const all: string[] = [];
  if (rest.length <= 253 && /^[a-z0-9_-][a-z0-9_.-]*$/.test(rest)) {
    all.push(rest);
    for (let dot = rest.indexOf('.'); dot !== -1; dot = rest.indexOf('.', dot + 1)) {
      all.push(`*${rest.slice(dot)}`);
    }
  }
  all.push('*');
  return all;
}

/** The backend whose turn it is: of `total` turns in a row each has as many as it has weight, and they are well mixed. */
export function share(slot: Slot, turn: number): string {
  let left = ((turn % slot.total) * slot.step) % slot.total;
  for (let i = 0; i < slot.backends.length; i++) {
    const backend = slot.backends[i];
    if (backend === undefined) continue;
    if (left < backend[1]) return backend[0];
    left -= backend[1];
  }
  return '';
}

/** The first certificate whose names fit, else the first. */
export function certificateFor(
  certificates: Slot['certificates'],
  name: string | undefined,
): string | undefined {
  const fitting = patterns(name);
  // A certificate's `*.` stands for one label only.
  const one = fitting.length > 2 ? fitting[1] : undefined;
  for (let i = 0; i < certificates.length; i++) {
    const candidate = certificates[i];
    if (candidate === undefined) continue;
    const names = candidate[1];
    if (names.indexOf(fitting[0] || '') !== -1 || (one !== undefined && names.indexOf(one) !== -1)) {
      return candidate[0];
    }
  }
  return certificates[0] === undefined ? undefined : certificates[0][0];
}

/** Version 1, as text. Its port tells the http part whether the client's address is what a PROXY header said. */
export function proxyHeader(variables: Session['variables']): string {
  const from = variables['remote_addr'] || '';
  const to = variables['server_addr'] || '';
  const ports = `${variables['remote_port']} ${variables['server_port']}`;
  if (from.indexOf(':') === -1 && to.indexOf(':') === -1) return `PROXY TCP4 ${from} ${to} ${ports}\r\n`;
  return `PROXY TCP6 ${mapped(from)} ${mapped(to)} ${ports}\r\n`;
}

/** A socket that is closed with something unread is reset, and nginx logs that as an error. */
function swallow(s: Session): void {
  s.on('upstream', () => {});
}

function mapped(address: string): string {
  return address.indexOf(':') === -1 ? `::ffff:${address}` : address;
}

function admit(s: Session, path: string): void {
  const text = read(`${path}/*`);
  counted = '';
  const target = text === undefined ? undefined : endpoint(JSON.parse(text) as Slot);
  if (!target) {
    s.deny();
    return;
  }
  s.variables['endpoint'] = target;
  s.allow();
}

/** An endpoint in its turn, none of those that failed just now if there are others. Undefined: there is none. */
function endpoint(slot: Slot): string | undefined {
  counted = slot.route;
  if (slot.backends.length === 0) return undefined;
  const turn = slot.backends.length === 1 ? 0 : ngx.shared.turns.incr(slot.name, 1);
  const file = share(slot, turn);
  const text = file === '' ? undefined : read(`${directory}/stream/backends/${file}`);
  if (!text) return undefined;
  const all = text.split('\n');
  const first = all.length === 1 ? 0 : ngx.shared.turns.incr(file, 1);
  for (let i = 0; i < all.length && i < 16; i++) {
    const candidate = all[(first + i) % all.length];
    if (candidate !== undefined && !ngx.shared.failures.has(candidate)) return candidate;
  }
  return all[first % all.length];
}

function count(route: string, what: string, by: number): void {
  if (!by) return;
  const counts = ngx.shared.counts;
  const known = counts.freeSpace() > countsReserve || counts.has(`${route} ${what}`);
  counts.incr(`${known ? route : 'other'} ${what}`, by);
}

function slotOf(s: Session): number {
  return slotPort(s.variables['server_port']);
}

/** The same, behind our own sockets. */
function introducedSlot(s: Session): number {
  return slotPort(s.variables['proxy_protocol_server_port']);
}

function slotPort(port: string | undefined): number {
  const number = Number(port);
  return number >= tlsBase + proxyOffset ? number - proxyOffset : number;
}

/** Most names have no file of their own: asking first is cheaper than an exception. */
function readIfThere(path: string): string | undefined {
  return fs.existsSync(path) ? read(path) : undefined;
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
