/** The hosts of an Ingress: under which names each is served, by which paths, and where TLS for it comes from. */
import type { IngressModel } from '#model/ingress/types.ts';
import { wider } from '../gateway/hostnames.ts';
import { readBoolean, readHost, readWords } from './annotations.ts';
import { isCanary, usesRegex } from './catalogue/routing.ts';
import { asksForClientCertificates } from './catalogue/tls.ts';
import { nginxAnnotations } from './read-annotations.ts';
import type { IngressContext } from './types.ts';

export type IngressPath = IngressModel['rules'][number]['paths'][number];

export type Site = {
  /** As in the Ingress; '' any. */
  readonly host: string;
  /** It and its aliases; empty: any. */
  readonly names: readonly string[];
  readonly paths: readonly IngressPath[];
  /** Those of its names that have TLS by a Secret, of its Ingress or of another one. */
  readonly secure: readonly SecureName[];
  /** Wildcards of the namespace that have TLS, of which the others of its names are: HTTPS for those comes there. */
  readonly wider: readonly SecureName[];
  /** Without a Secret: by the certificate of the ALB, which may have none. */
  readonly byDefault: boolean;
  /** Somebody asks for clients' certificates: nothing is to be had without. */
  readonly judged: boolean;
  /** All paths are regular expressions. */
  readonly regex: boolean;
};

export type SecureName = {
  readonly name: string;
  /** Whose ListenerSet has it. */
  readonly leader: IngressModel;
  readonly secret: string;
};

/** All hostnames that an Ingress has to do with: by these others of its namespace find it. '' any. */
export function namesOf(ingress: IngressModel): readonly string[] {
  return [...new Set([...(ingress.rules.length === 0 ? [''] : hostsOf(ingress)), ...furtherNames(ingress)])];
}

export function sitesOf(ingress: IngressModel, context: IngressContext): readonly Site[] {
  // One that is a host of somebody's in the namespace stays that.
  const aliases = aliasesOf(ingress).filter((alias) => !isHost(alias, context));
  const paths = new Map<string, IngressPath[]>();
  for (const { host = '', paths: own } of ingress.rules)
    paths.set(host, [...(paths.get(host) ?? []), ...own]);
  if (paths.size === 0 && ingress.defaultBackend !== undefined) paths.set('', []);
  return [...paths].map(([host, own]) => {
    const extra = host === '' ? tlsOnly(ingress) : aliases.filter((each) => !paths.has(each));
    const names = host === '' ? [] : [host, ...extra];
    const peers = mainPeers(host, context);
    const secure = [...(host === '' ? [] : [host]), ...extra].flatMap(
      (name) => secureName(name, context) ?? [],
    );
    const bare = names.filter((name) => !secure.some((each) => each.name === name));
    return {
      host,
      names,
      paths: own,
      secure,
      wider: distinct(bare.flatMap((name) => widerName(name, context) ?? [])),
      byDefault: host !== '' && peers.some((peer) => tlsFor(peer, host) === 'default'),
      judged: peers.some((peer) => asksForClientCertificates(nginxAnnotations(peer))),
      regex: peers.some((peer) => usesRegex(nginxAnnotations(peer))),
    };
  });
}

/** Without canaries, whose paths are no one's own. */
export function mainPeers(name: string, { peers }: IngressContext): readonly IngressModel[] {
  return peers(name).filter((peer) => !isCanary(nginxAnnotations(peer)));
}

export function mainNeighbours(name: string, { neighbours }: IngressContext): readonly IngressModel[] {
  return neighbours(name).filter((each) => !isCanary(nginxAnnotations(each)));
}

function isHost(name: string, context: IngressContext): boolean {
  return mainNeighbours(name, context).some((each) => hostsOf(each).includes(name));
}

/** Whether it says something that is for others at its hosts, too. */
export function concernsPeers(ingress: IngressModel): boolean {
  const get = nginxAnnotations(ingress);
  return ingress.tls.length > 0 || isCanary(get) || usesRegex(get) || asksForClientCertificates(get);
}

/** The Ingress that has TLS for a name first, with a Secret: only that has a listener for it. */
export function secureName(name: string, context: IngressContext): SecureName | undefined {
  for (const leader of mainPeers(name, context)) {
    const found = tlsFor(leader, name);
    // A further name of one is nothing where another one has it as a host.
    if (typeof found === 'object' && (hostsOf(leader).includes(name) || !isHost(name, context)))
      return { name, leader, secret: found.secret };
  }
  return undefined;
}

/** The narrowest wildcard that has TLS and that a name is of: no other listener of the namespace is asked for the name. */
export function widerName(name: string, context: IngressContext): SecureName | undefined {
  for (const wildcard of wider(name)) {
    const found = wildcard === '' ? undefined : secureName(wildcard, context);
    if (found !== undefined) return found;
  }
  return undefined;
}

function distinct(names: readonly SecureName[]): readonly SecureName[] {
  return [...new Map(names.map((each) => [each.name, each])).values()];
}

/** The other name of a host, with `www.` before it or without. */
export function wwwOf(host: string): string | undefined {
  if (host === '' || host.startsWith('*')) return undefined;
  return host.startsWith('www.') ? host.slice('www.'.length) : `www.${host}`;
}

/**
 * An exact host before a wildcard before an entry without hosts; a further name has what a host has. `default`: without a Secret. Names that it
 * doesn't serve have none.
 */
function tlsFor(ingress: IngressModel, name: string): { readonly secret: string } | 'default' | undefined {
  const hosts = hostsOf(ingress);
  const isHost = hosts.includes(name);
  if (!isHost && !furtherNames(ingress).includes(name)) return undefined;
  const { tls } = ingress;
  for (const each of isHost ? [name] : [name, ...hosts]) {
    const entry = [each, wildcardOf(each)].flatMap(
      (wanted) => tls.find((one) => one.hosts.includes(wanted)) ?? [],
    )[0];
    if (entry !== undefined) return entry.secret === undefined ? 'default' : { secret: entry.secret };
  }
  const open = tls.find((each) => each.hosts.length === 0 && each.secret !== undefined);
  return open?.secret === undefined || name === '' ? undefined : { secret: open.secret };
}

function wildcardOf(name: string): string {
  return `*${name.slice(name.indexOf('.'))}`;
}

export function hostsOf({ rules }: IngressModel): readonly string[] {
  return [...new Set(rules.map(({ host = '' }) => host))];
}

/** Aliases, names with `www.` or without, and what has TLS and is served by the paths for any host. */
function furtherNames(ingress: IngressModel): readonly string[] {
  const hosts = hostsOf(ingress);
  const isWWW = readBoolean(nginxAnnotations(ingress)('from-to-www-redirect')) === true;
  return [
    ...aliasesOf(ingress),
    ...(isWWW ? hosts.flatMap((each) => wwwOf(each) ?? []) : []),
    ...(hosts.length === 0 || hosts.includes('') ? tlsOnly(ingress) : []),
  ];
}

/** Hosts of TLS that no rule has: what is for any host is served by these, too. */
function tlsOnly({ tls, rules }: IngressModel): readonly string[] {
  const hosts = new Set(rules.map(({ host }) => host));
  return [...new Set(tls.flatMap((each) => each.hosts))].filter((each) => !hosts.has(each));
}

function aliasesOf(ingress: IngressModel): readonly string[] {
  const words = readWords(nginxAnnotations(ingress)('server-alias'));
  return [...new Set(words.flatMap((each) => readHost(each) ?? []))];
}
