/** What this engine keeps in FRR, as typed values that print themselves in its configuration language. */

export type Daemon = 'bfdd' | 'bgpd';

/** One line of configuration in its context, for example `router bgp 64512`, `address-family ipv4 unicast`. */
export type Line = { readonly daemon: Daemon; readonly context: readonly string[]; readonly text: string };

/** Prefixes and, with `ge` and `le`, longer ones inside. */
export type PrefixList = {
  readonly kind: 'prefixList';
  readonly family: 4 | 6;
  readonly name: string;
  readonly entries: readonly {
    readonly prefix: string;
    readonly ge?: number | undefined;
    readonly le?: number | undefined;
  }[];
};

/** Routes by the AS path they came along. */
export type PathList = { readonly kind: 'pathList'; readonly name: string; readonly expression: string };

/** Entries in order; what none permits is denied. */
export type RouteMap = {
  readonly kind: 'routeMap';
  readonly name: string;
  readonly entries: readonly {
    readonly action: 'permit' | 'deny';
    /** Default: ten times its position. */
    readonly sequence?: number;
    readonly matches?: readonly string[];
    readonly sets?: readonly string[];
  }[];
};

export type BFDProfile = {
  readonly kind: 'bfdProfile';
  readonly name: string;
  readonly receiveInterval: number;
  readonly transmitInterval: number;
  readonly detectMultiplier: number;
  readonly echoInterval?: number | undefined;
  readonly passive?: true | undefined;
  readonly minimumTTL?: number | undefined;
};

/** Seconds until a filter that changed is applied to what is there; FRR's own is five. */
export type FilterDelay = { readonly kind: 'filterDelay'; readonly seconds: number };

/** The BGP instance. Announces what stands in a kernel table. */
export type Speaker = {
  readonly kind: 'speaker';
  readonly asn: number;
  readonly vrf?: string | undefined;
  readonly routerID: string;
  readonly clusterID?: string | undefined;
  readonly table: number;
  /** Route map that announced routes pass first. */
  readonly announcedMap: string;
};

export type Neighbor = {
  readonly kind: 'neighbor';
  readonly asn: number;
  readonly vrf?: string | undefined;
  /** Address, or interface on whose link it is. */
  readonly address: string;
  readonly unnumbered: boolean;
  readonly description: string;
  readonly remoteAS: number | 'internal' | 'external';
  readonly port: number;
  readonly families: readonly (4 | 6)[];
  readonly password?: string | undefined;
  readonly bfdProfile?: string | undefined;
  readonly timers?: { readonly keepalive: number; readonly hold: number } | undefined;
  readonly connectTime?: number | undefined;
  /** AS number that it sees instead of the speaker's. */
  readonly shownAS?: number | undefined;
  readonly multiHop: boolean;
  /** Its address need be on no network of the node. */
  readonly anywhere: boolean;
  /** False: it is not asked to keep routes while FRR restarts. */
  readonly gracefulRestart: boolean;
  readonly updateSource?: string | undefined;
  /** Its own AS in a path is no loop: nodes behind other routers have it, too. */
  readonly allowOwnAS: boolean;
  readonly reflectorClient: boolean;
  /** Names of route maps. */
  readonly importMap: string;
  readonly exportMap: string;
};

export type FrrObject = PrefixList | PathList | RouteMap | BFDProfile | FilterDelay | Speaker | Neighbor;

/** Seconds until a lost session is tried again; FRR's own is two minutes. */
const connectSeconds = 5;

/** All lines, in an order in which each finds what it names; the very text that `show running-config` gives back. */
export function printObjects(objects: readonly FrrObject[]): Line[] {
  return objects.flatMap(printObject);
}

function printObject(object: FrrObject): Line[] {
  switch (object.kind) {
    case 'prefixList':
      return printPrefixList(object);
    case 'pathList':
      return [bgpd([], `bgp as-path access-list ${object.name} seq 5 permit ${object.expression}`)];
    case 'routeMap':
      return object.entries.flatMap(({ action, sequence, matches = [], sets = [] }, index) => {
        const head = `route-map ${object.name} ${action} ${sequence ?? 10 * (index + 1)}`;
        return [
          bgpd([], head),
          ...matches.map((match) => bgpd([head], `match ${match}`)),
          ...sets.map((set) => bgpd([head], `set ${set}`)),
        ];
      });
    case 'filterDelay':
      return [bgpd([], `bgp route-map delay-timer ${object.seconds}`)];
    case 'bfdProfile':
      return printProfile(object);
    case 'speaker':
      return printSpeaker(object);
    case 'neighbor':
      return printNeighbor(object);
  }
}

function printPrefixList({ family, name, entries }: PrefixList): Line[] {
  const ip = family === 4 ? 'ip' : 'ipv6';
  return entries.map(({ prefix, ge, le }, index) => {
    const range = `${ge === undefined ? '' : ` ge ${ge}`}${le === undefined ? '' : ` le ${le}`}`;
    return bgpd([], `${ip} prefix-list ${name} seq ${5 * (index + 1)} permit ${prefix}${range}`);
  });
}

function printProfile(profile: BFDProfile): Line[] {
  const line = (context: readonly string[], text: string): Line => ({ daemon: 'bfdd', context, text });
  const head = `profile ${profile.name}`;
  const inside = (text: string): Line => line(['bfd', head], text);
  return [
    line(['bfd'], head),
    // FRR leaves out what is its default.
    ...(profile.detectMultiplier === 3 ? [] : [inside(`detect-multiplier ${profile.detectMultiplier}`)]),
    ...(profile.transmitInterval === 300 ? [] : [inside(`transmit-interval ${profile.transmitInterval}`)]),
    ...(profile.receiveInterval === 300 ? [] : [inside(`receive-interval ${profile.receiveInterval}`)]),
    ...(profile.passive === undefined ? [] : [inside('passive-mode')]),
    ...(profile.minimumTTL === undefined || profile.minimumTTL === 254
      ? []
      : [inside(`minimum-ttl ${profile.minimumTTL}`)]),
    ...(profile.echoInterval === undefined ? [] : [inside('echo-mode')]),
    ...(profile.echoInterval === undefined || profile.echoInterval === 50
      ? []
      : ['transmit', 'receive'].map((way) => inside(`echo ${way}-interval ${profile.echoInterval}`))),
  ];
}

const routerContext = ({ asn, vrf }: Pick<Speaker, 'asn' | 'vrf'>): string =>
  `router bgp ${asn}${vrf === undefined ? '' : ` vrf ${vrf}`}`;
const families = { 4: 'address-family ipv4 unicast', 6: 'address-family ipv6 unicast' } as const;

function printSpeaker(speaker: Speaker): Line[] {
  const { vrf, routerID, clusterID, table, announcedMap } = speaker;
  const router = routerContext(speaker);
  // FRR 10.3 reads a table in its main instance only.
  const source =
    vrf === undefined ? `redistribute table-direct ${table} route-map ${announcedMap}` : 'import vrf default';
  return [
    bgpd([], router),
    bgpd([router], `bgp router-id ${routerID}`),
    bgpd([router], 'no bgp default ipv4-unicast'),
    ...(clusterID === undefined ? [] : [bgpd([router], `bgp cluster-id ${clusterID}`)]),
    bgpd([router], 'bgp graceful-restart'),
    bgpd([router], 'bgp graceful-restart preserve-fw-state'),
    // A neighbor that is away must not keep the others waiting for six minutes after a restart.
    bgpd([router], 'bgp graceful-restart select-defer-time 10'),
    bgpd([router, families[4]], source),
    bgpd([router, families[6]], source),
  ];
}

function printNeighbor(neighbor: Neighbor): Line[] {
  const { address, password, bfdProfile, timers, updateSource, shownAS } = neighbor;
  const router = routerContext(neighbor);
  const settings = [
    `${neighbor.unnumbered ? 'interface ' : ''}remote-as ${neighbor.remoteAS}`,
    ...(shownAS === undefined ? [] : [`local-as ${shownAS} no-prepend replace-as`]),
    `description ${neighbor.description}`,
    ...(neighbor.port === 179 ? [] : [`port ${neighbor.port}`]),
    ...(bfdProfile === undefined ? [] : ['bfd', `bfd profile ${bfdProfile}`]),
    ...(password === undefined ? [] : [`password ${password}`]),
    ...(neighbor.multiHop ? ['ebgp-multihop'] : []),
    ...(updateSource === undefined ? [] : [`update-source ${updateSource}`]),
    ...(timers === undefined ? [] : [`timers ${timers.keepalive} ${timers.hold}`]),
    `timers connect ${neighbor.connectTime ?? connectSeconds}`,
    ...(neighbor.anywhere ? ['disable-connected-check'] : []),
    ...(neighbor.gracefulRestart ? [] : ['graceful-restart-disable']),
  ];
  const carried = [
    'activate',
    ...(neighbor.reflectorClient ? ['route-reflector-client'] : []),
    ...(neighbor.allowOwnAS ? ['allowas-in 1'] : []),
    `route-map ${neighbor.importMap} in`,
    `route-map ${neighbor.exportMap} out`,
  ];
  return [
    ...settings.map((text) => bgpd([router], `neighbor ${address} ${text}`)),
    ...neighbor.families.flatMap((family) =>
      carried.map((text) => bgpd([router, families[family]], `neighbor ${address} ${text}`)),
    ),
  ];
}

function bgpd(context: readonly string[], text: string): Line {
  return { daemon: 'bgpd', context, text };
}

/** Never shows a password: for logs, reports and problems. */
export function redact(text: string): string {
  return text.replace(/(\bpassword )\S+/g, '$1…');
}

/** A configuration file of one daemon. */
export function printFile(lines: readonly Line[], daemon: Daemon): string {
  const out = ['! Written by Netloom; what is changed here by hand is put back.'];
  let current: readonly string[] = [];
  for (const { context, text } of lines.filter((line) => line.daemon === daemon)) {
    const path = [...context, text];
    let shared = 0;
    while (shared < context.length && current[shared] === path[shared]) shared += 1;
    for (let depth = current.length; depth > shared; depth--)
      out.push(closing(current[depth - 1]!, depth - 1));
    for (let depth = shared; depth < context.length; depth++) out.push(' '.repeat(depth) + context[depth]!);
    if (opens(text)) {
      out.push(' '.repeat(context.length) + text);
      current = path;
    } else {
      out.push(' '.repeat(context.length) + text);
      current = context;
    }
  }
  for (let depth = current.length; depth > 0; depth--) out.push(closing(current[depth - 1]!, depth - 1));
  return `${out.join('\n')}\n`;
}

/** Whether a line is one that others stand in. */
export function opens(text: string): boolean {
  return /^(router bgp |route-map |profile )/.test(text);
}

function closing(context: string, depth: number): string {
  return ' '.repeat(depth) + (context.startsWith('address-family') ? 'exit-address-family' : 'exit');
}
