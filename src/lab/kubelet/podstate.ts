/** What the kubelet remembers of a pod on the node's disk, so that a new kubelet process goes on where the last one ended. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ContainerState, Pod } from '../objects/pod.ts';
import { podDirectory, podStateFile, podsDirectory } from './layout.ts';
import type { NodeHost } from './nodehost.ts';
import type { SandboxRecord } from './sandbox.ts';
import type { ContainerRecord } from './status.ts';

export type StoredContainer = {
  readonly attempt: number;
  readonly containerID: string;
  readonly startedAt: string | undefined;
  readonly exit:
    | {
        readonly code: number;
        readonly finishedAt: string;
        readonly reason: string;
        readonly message?: string;
      }
    | undefined;
  readonly lastExit: ContainerState['terminated'] | undefined;
  /** The container before this one, kept for its logs; the bundle is gone. */
  readonly previousAttempt: number | undefined;
};

export type PodState = {
  /** The pod as last seen: what is needed to end it when the object is gone. */
  readonly pod: Pod;
  readonly boot: string;
  readonly startTime: string;
  readonly sandbox: SandboxRecord | undefined;
  readonly containers: Readonly<Record<string, StoredContainer>>;
};

/** Whole or absent. Not synced: what it speaks of is gone after a loss of power, too. */
export function saveState(host: NodeHost, state: PodState): void {
  const uid = state.pod.metadata.uid ?? '';
  const file = host.disk(podStateFile(uid));
  mkdirSync(host.disk(podDirectory(uid)), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
}

/** The states of all pods on the node's disk; directories without one belong to pods that never began. */
export function loadStates(host: NodeHost): readonly PodState[] {
  const directory = host.disk(podsDirectory);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((uid) => {
    try {
      return [JSON.parse(readFileSync(host.disk(podStateFile(uid)), 'utf8')) as PodState];
    } catch {
      return [];
    }
  });
}

/** What is stored of a container, as its status wants it; whether it is ready is not stored. */
export function recordOf(name: string, stored: StoredContainer): ContainerRecord {
  return {
    name,
    attempt: stored.attempt,
    containerID: stored.containerID,
    ...(stored.startedAt === undefined ? {} : { startedAt: stored.startedAt }),
    ...(stored.exit === undefined ? {} : { exit: stored.exit }),
    ...(stored.lastExit === undefined ? {} : { lastExit: stored.lastExit }),
    ready: false,
    started: false,
  };
}
