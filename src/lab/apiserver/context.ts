/** What every request handler and controller of one server shares. */
import type { KubeObject } from '#api/object.ts';
import type { ServiceAllocator } from './allocator.ts';
import type { Kinds } from './kinds.ts';
import type { Owners } from './owners.ts';
import type { Pki } from './pki.ts';
import type { Store } from './storage/store.ts';
import type { Version } from './storage/table.ts';
import type { TokenAuthority } from './tokens.ts';

export type ServerConfig = {
  /** Everything that must survive: `pki/` and `store/`. Made when absent. */
  readonly dataDirectory: string;
  /** Address and port to listen on; port 0 chooses one. */
  readonly host: string;
  readonly port: number;
  /** Sockets that already listen, for example in another network namespace. */
  readonly extraListenFds?: readonly number[];
  /** At most one a family; the first is the family of single-stack Services. */
  readonly serviceCidrs: readonly string[];
  /** Addresses behind the `kubernetes` Service, and their port. */
  readonly advertise: readonly string[];
  readonly advertisePort: number;
  /** Where the kubelet answers logs, exec and connections to pods (kubelet-contract.md). */
  readonly kubeletSocket?: string;
  /** Changes remembered per resource for watches to resume from; 8192. */
  readonly historySize?: number;
  /** Log bytes after which a snapshot is written; 64 MiB. */
  readonly snapshotBytes?: number;
  /** Seconds between two bookmarks of a watch; 60. */
  readonly bookmarkSeconds?: number;
};

export type User = {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
};

export type Context = {
  readonly config: ServerConfig;
  readonly store: Store;
  readonly kinds: Kinds;
  readonly pki: Pki;
  readonly tokens: TokenAuthority;
  readonly services: ServiceAllocator;
  readonly owners: Owners;
};

/** How a write was asked for. */
export type WriteOptions = {
  readonly manager: string;
  readonly dryRun: boolean;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  /** managedFields are already what they shall be: server-side apply made them. */
  readonly managed?: boolean;
  /** Texts for the answer's Warning headers. */
  readonly warnings: Set<string>;
};

/** Time as in metadata: RFC 3339 with whole seconds. */
export function timestamp(milliseconds: number = Date.now()): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** An object with some metadata replaced; a value of undefined removes the field. */
export function withMetadata(
  object: KubeObject,
  changes: { readonly [F in keyof KubeObject['metadata']]?: KubeObject['metadata'][F] | undefined },
): KubeObject {
  const entries = Object.entries({ ...object.metadata, ...changes }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...object, metadata: Object.fromEntries(entries) as KubeObject['metadata'] };
}

/** A stored version of an object that was not stored: the answer to a dry run. */
export function unstored(object: KubeObject, revision: number): Version {
  const { namespace = '', name } = object.metadata;
  return { namespace, name, revision, object, json: JSON.stringify(object) };
}
