/** unbound as the cluster's resolver: its configuration, its process, and its control socket. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { writeFileAtomic } from '#system/files.ts';
import { type ClusterRecords, reverseZones, type Zone } from './records.ts';

export type ResolverOptions = {
  /** For configuration, zones and control socket. */
  readonly directory: string;
  readonly domain: string;
  /** Where names outside the cluster are asked for; none: they don't exist. */
  readonly upstreams: readonly string[];
  /** Default 53. */
  readonly port?: number;
};

export type Resolver = {
  /** Makes these the records. Answers change from the old to the new at once, zone by zone. */
  publish(records: ClusterRecords): Promise<void>;
  /** Resolves with a sentence when unbound has ended. */
  readonly ended: Promise<string>;
  stop(): void;
};

/** Starts unbound with the first records, so that it never answers without. */
export async function startResolver(options: ResolverOptions, first: ClusterRecords): Promise<Resolver> {
  const { directory } = options;
  const socket = `${directory}/control.sock`;
  const zoneFile = ({ name }: Pick<Zone, 'name'>): string => `${directory}/${name}.zone`;
  const written = new Map<string, string>();
  const write = (zones: readonly Zone[]): readonly Zone[] =>
    zones.filter((zone) => {
      const text = `${zone.records.join('\n')}\n`;
      if (written.get(zone.name) === text) return false;
      writeFileAtomic(zoneFile(zone), text);
      written.set(zone.name, text);
      return true;
    });
  let aliases: Readonly<Record<string, string>> = {};
  const setAliases = async (next: Readonly<Record<string, string>>): Promise<void> => {
    const gone = Object.keys(aliases).filter((name) => next[name] !== aliases[name]);
    const fresh = Object.entries(next).filter(([name, target]) => aliases[name] !== target);
    if (gone.length > 0) await control(socket, 'local_zones_remove', gone);
    if (fresh.length > 0) {
      // In a zone of this type unbound follows the alias itself and answers with what it found.
      await control(
        socket,
        'local_zones',
        fresh.map(([name]) => `${name} redirect`),
      );
      await control(
        socket,
        'local_datas',
        fresh.map(([name, target]) => `${name} 5 IN CNAME ${target}`),
      );
    }
    aliases = next;
  };

  mkdirSync(directory, { recursive: true });
  write(first.zones);
  writeFileAtomic(`${directory}/unbound.conf`, resolverConfig(options, zoneFile));
  const child = spawn('unbound', ['-d', '-c', `${directory}/unbound.conf`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = whenEnded(child);
  await ready(socket, ended);
  await setAliases(first.aliases);
  return {
    ended,
    async publish(records) {
      for (const zone of write(records.zones)) await control(socket, `auth_zone_reload ${zone.name}`);
      await setAliases(records.aliases);
    },
    stop: () => void child.kill('SIGTERM'),
  };
}

/** Text of unbound.conf. All names in it are the program's own. */
export function resolverConfig(
  { directory, domain, upstreams, port = 53 }: ResolverOptions,
  zoneFile: (zone: { readonly name: string }) => string,
): string {
  const zone = (name: string): string => `
auth-zone:
  name: "${name}."
  zonefile: "${zoneFile({ name })}"
  for-downstream: yes
  for-upstream: yes
  fallback-enabled: no
`;
  const outside =
    upstreams.length === 0
      ? ''
      : `
forward-zone:
  name: "."
${upstreams.map((address) => `  forward-addr: ${address}\n`).join('')}`;
  // With nowhere to ask, every name beyond the cluster's is answered at once: there is none.
  const open = [domain, ...reverseZones].map((name) => `  local-zone: "${name}." transparent\n`);
  const closed = upstreams.length === 0 ? ['  local-zone: "." static\n', ...open].join('') : '';
  return `server:
  directory: "${directory}"
  chroot: ""
  username: ""
  pidfile: ""
  logfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  interface: 0.0.0.0
  interface: ::0
  port: ${port}
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  module-config: "iterator"
  rrset-roundrobin: yes
  minimal-responses: yes
  edns-buffer-size: 1232
  # An upstream that doesn't answer must not make clients wait for long.
  outbound-msg-retry: 2
  unknown-server-time-limit: 250
  cache-max-negative-ttl: 5
${reverseZones.map((name) => `  local-zone: "${name}." nodefault\n`).join('')}${closed}
remote-control:
  control-enable: yes
  control-interface: "${directory}/control.sock"
  control-use-cert: no
${[domain, ...reverseZones].map(zone).join('')}${outside}`;
}

/** One command on unbound's control socket (unbound-control(8)), with lines of input where it takes them. Throws what it refused. */
export function control(socket: string, command: string, lines: readonly string[] = []): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    let answer = '';
    connection.setEncoding('utf8');
    connection.setTimeout(10_000, () => connection.destroy(new Error(`unbound: ${command}: no answer`)));
    connection.on('data', (text: string) => {
      answer += text;
    });
    connection.once('error', reject);
    connection.once('close', () => {
      const error = /^error.*$/m.exec(answer)?.[0];
      if (error === undefined) resolve(answer);
      else reject(new Error(`unbound: ${command}: ${error}`));
    });
    // The mark ends the input of commands that read lines.
    const input = /s(_remove)?$/.test(command) && lines.length > 0 ? `${lines.join('\n')}\n\u0004\n` : '';
    connection.write(`UBCT1 ${command}\n${input}`);
  });
}

async function ready(socket: string, ended: Promise<string>): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      await control(socket, 'status');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    const pause = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20));
    const end = await Promise.race([pause, ended]);
    if (end !== undefined) throw new Error(end);
  }
}

function whenEnded(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`unbound can't be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`unbound ended (${signal ?? `exit code ${code}`})`));
  });
}
