/** The OCI runtime configuration of one container (opencontainers/runtime-spec 1.0); pure. */
import type { Container, SecurityContext } from '../objects/container.ts';
import type { Pod } from '../objects/pod.ts';
import { containerCapabilities } from './capabilities.ts';
import { expand } from './env.ts';
import { type BindMount, bindMount, propagatesOut, systemMounts } from './mounts.ts';

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
  /** Undefined: the node's own. */
  readonly netns: string | undefined;
  readonly uts: string | undefined;
  readonly ipc: string | undefined;
  readonly binds: readonly BindMount[];
  /** What this machine may give at all (capabilities(7), bounding set); a lab host may itself be a container. */
  readonly available: ReadonlySet<string>;
};

/** `config.json` but for the root's path, which only its bundle knows. */
export type OciConfig = {
  readonly root: { readonly readonly: boolean };
  readonly mounts: readonly object[];
  readonly [section: string]: unknown;
};

/** What the container's bundle is made from; problems keep it from being started. */
export function containerConfig(inputs: ContainerInputs): {
  readonly value: OciConfig;
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
    root: { readonly: security.readOnlyRootFilesystem === true },
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

function namespaces({ pod, netns, uts, ipc }: ContainerInputs): readonly object[] {
  return [
    { type: 'mount' },
    ...(pod.spec.hostPID === true ? [] : [{ type: 'pid' }]),
    ...(netns === undefined ? [] : [{ type: 'network', path: netns }]),
    ...(uts === undefined ? [] : [{ type: 'uts', path: uts }]),
    ...(ipc === undefined ? [] : [{ type: 'ipc', path: ipc }]),
  ];
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

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
