/** The OCI runtime configuration of one container (opencontainers/runtime-spec 1.0); pure. */
import type { Container, SecurityContext } from '../objects/container.ts';
import type { Pod } from '../objects/pod.ts';
import { expand } from './env.ts';

/** A bind of something on the node. */
export type BindMount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation?: 'None' | 'HostToContainer' | 'Bidirectional';
};

/** What an image says of its containers. */
export type ImageConfig = {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly uid: number;
  readonly gid: number;
};

export type ContainerInputs = {
  readonly pod: Pod;
  readonly container: Container;
  readonly image: ImageConfig;
  readonly env: Readonly<Record<string, string>>;
  /** Path of the mounted root file system on the node. */
  readonly rootfs: string;
  /** Undefined: the node's own. */
  readonly netns: string | undefined;
  readonly uts: string | undefined;
  readonly ipc: string | undefined;
  readonly binds: readonly BindMount[];
  /** What this machine may give at all (capabilities(7), bounding set); a lab host may itself be a container. */
  readonly available: ReadonlySet<string>;
};

/** The `config.json` of the container's bundle; problems keep it from being started. */
export function containerConfig(inputs: ContainerInputs): {
  readonly value: object;
  readonly problems: readonly string[];
} {
  const { pod, container, image, env } = inputs;
  const security = container.securityContext ?? {};
  const privileged = security.privileged === true;
  const user = processUser(pod, security, image);
  const args = processArguments(container, image, env);
  const asked = containerCapabilities(security);
  const capabilities = { ...asked, value: asked.value.filter((name) => inputs.available.has(name)) };
  const problems = [
    ...(args.length === 0 ? ['no command specified: neither the image nor the container has one'] : []),
    ...capabilities.problems,
    ...rootRefused(pod, security, user.uid),
  ];
  // A process that isn't root gets its capabilities only as far as it may raise them, as with other runtimes.
  const effective = user.uid === 0 ? capabilities.value : [];
  const value = {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { ...user, ...(user.groups.length > 0 ? { additionalGids: user.groups } : {}) },
      args,
      env: Object.entries({ PATH: defaultPath, ...env }).map(([name, text]) => `${name}=${text}`),
      cwd: container.workingDir || image.workingDir || '/',
      capabilities: {
        bounding: capabilities.value,
        effective,
        permitted: effective,
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: security.allowPrivilegeEscalation === false,
    },
    root: { path: inputs.rootfs, readonly: security.readOnlyRootFilesystem === true },
    mounts: [...systemMounts(privileged, inputs.netns), ...inputs.binds.map(bindMount)],
    linux: {
      namespaces: namespaces(inputs),
      rootfsPropagation: propagatesOut(inputs.binds) ? 'rshared' : 'rslave',
      ...(privileged ? {} : { maskedPaths, readonlyPaths }),
    },
  };
  return { value, problems };
}

/** `command` replaces entrypoint and command of the image, `args` its command; `$(NAME)` is expanded in both. */
function processArguments(
  container: Container,
  image: ImageConfig,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const own = (list: readonly string[] | undefined): readonly string[] =>
    (list ?? []).map((argument) => expand(argument, env));
  if (container.command !== undefined && container.command.length > 0) {
    return [...own(container.command), ...own(container.args)];
  }
  const args =
    container.args !== undefined && container.args.length > 0 ? own(container.args) : image.command;
  return [...image.entrypoint, ...args];
}

function processUser(
  pod: Pod,
  security: SecurityContext,
  image: ImageConfig,
): { readonly uid: number; readonly gid: number; readonly groups: readonly number[] } {
  const shared = pod.spec.securityContext ?? {};
  const groups = [
    ...(shared.supplementalGroups ?? []),
    ...(shared.fsGroup === undefined ? [] : [shared.fsGroup]),
  ];
  const uid = security.runAsUser ?? shared.runAsUser;
  return {
    uid: uid ?? image.uid,
    gid: security.runAsGroup ?? shared.runAsGroup ?? (uid === undefined ? image.gid : 0),
    groups,
  };
}

function rootRefused(pod: Pod, security: SecurityContext, uid: number): readonly string[] {
  const nonRoot = security.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot ?? false;
  return nonRoot && uid === 0 ? ['container has runAsNonRoot and image will run as root'] : [];
}

/** Names with their `CAP_` prefix. */
export function containerCapabilities(security: SecurityContext): {
  readonly value: readonly string[];
  readonly problems: readonly string[];
} {
  if (security.privileged === true) return { value: allCapabilities, problems: [] };
  const named = (names: readonly string[] | undefined): readonly string[] =>
    (names ?? []).map((name) => name.toUpperCase().replace(/^(?!CAP_|ALL$)/, 'CAP_'));
  const add = named(security.capabilities?.add);
  const drop = named(security.capabilities?.drop);
  const problems = [...add, ...drop]
    .filter((name) => name !== 'ALL' && !allCapabilities.includes(name))
    .map((name) => `securityContext.capabilities: there is no capability ${JSON.stringify(name)}`);
  const base = add.includes('ALL') ? allCapabilities : drop.includes('ALL') ? [] : defaultCapabilities;
  const wanted = new Set([...base.filter((name) => !drop.includes(name)), ...add]);
  return { value: allCapabilities.filter((name) => wanted.has(name)), problems };
}

function namespaces({ pod, netns, uts, ipc }: ContainerInputs): readonly object[] {
  return [
    { type: 'mount' },
    ...(pod.spec.hostPID === true ? [] : [{ type: 'pid' }]),
    ...(netns === undefined ? [] : [{ type: 'network', path: netns }]),
    ...(uts === undefined ? [] : [{ type: 'uts', path: uts }]),
    ...(ipc === undefined ? [] : [{ type: 'ipc', path: ipc }]),
  ];
}

function systemMounts(privileged: boolean, netns: string | undefined): readonly object[] {
  const access = privileged ? 'rw' : 'ro';
  const dev = privileged
    ? [{ destination: '/dev', type: 'bind', source: '/dev', options: ['rbind', 'rslave'] }]
    : [
        {
          destination: '/dev',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
        },
        {
          destination: '/dev/pts',
          type: 'devpts',
          source: 'devpts',
          options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
        },
        {
          destination: '/dev/shm',
          type: 'tmpfs',
          source: 'shm',
          options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
        },
        {
          destination: '/dev/mqueue',
          type: 'mqueue',
          source: 'mqueue',
          options: ['nosuid', 'noexec', 'nodev'],
        },
      ];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    ...dev,
    // Without a namespace of its own a sysfs shows the node's network, which is what hostNetwork is for.
    netns === undefined && !privileged
      ? {
          destination: '/sys',
          type: 'bind',
          source: '/sys',
          options: ['rbind', 'rslave', 'ro', 'nosuid', 'noexec', 'nodev'],
        }
      : {
          destination: '/sys',
          type: 'sysfs',
          source: 'sysfs',
          options: ['nosuid', 'noexec', 'nodev', access],
        },
    ...(privileged
      ? [
          {
            destination: '/sys/fs/cgroup',
            type: 'bind',
            source: '/sys/fs/cgroup',
            options: ['rbind', 'rslave'],
          },
        ]
      : []),
  ];
}

function bindMount({ source, target, readOnly, propagation = 'None' }: BindMount): object {
  const options = ['rbind', propagations[propagation], readOnly ? 'ro' : 'rw'];
  return { destination: target, type: 'bind', source, options };
}

function propagatesOut(binds: readonly BindMount[]): boolean {
  return binds.some(({ propagation }) => propagation === 'Bidirectional');
}

const propagations = { None: 'rprivate', HostToContainer: 'rslave', Bidirectional: 'rshared' } as const;

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** capabilities(7), in the order of their numbers. */
export const allCapabilities: readonly string[] = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE',
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN',
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE',
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));

/** Names of the capabilities in a mask as /proc/PID/status prints it (hexadecimal). */
export function capabilityNames(mask: string): ReadonlySet<string> {
  const bits = BigInt(`0x${mask}`);
  return new Set(allCapabilities.filter((_, index) => ((bits >> BigInt(index)) & 1n) === 1n));
}

/** What container runtimes give to an ordinary container. */
const defaultCapabilities: readonly string[] = [
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));

const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
