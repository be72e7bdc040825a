/** The mounts of one container (opencontainers/runtime-spec 1.0, `mounts`); pure. */

/** A bind of something on the node. */
export type BindMount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation?: 'None' | 'HostToContainer' | 'Bidirectional';
};

/** /proc, /dev and /sys; `netns` undefined: the container sees the node's network. */
export function systemMounts(privileged: boolean, netns: string | undefined): readonly object[] {
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

export function bindMount({ source, target, readOnly, propagation = 'None' }: BindMount): object {
  const options = ['rbind', propagations[propagation], readOnly ? 'ro' : 'rw'];
  return { destination: target, type: 'bind', source, options };
}

/** Whether a mount made in the container must appear on the node. */
export function propagatesOut(binds: readonly BindMount[]): boolean {
  return binds.some(({ propagation }) => propagation === 'Bidirectional');
}

const propagations = { None: 'rprivate', HostToContainer: 'rslave', Bidirectional: 'rshared' } as const;
