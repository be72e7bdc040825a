/** Volumes of a pod, and the objects that they are filled from. */
import type { KubeObject } from '#api/object.ts';
import type { FieldRef, ResourceFieldRef } from './container.ts';
import { kind } from './kind.ts';

export const configMapType = kind('', 'ConfigMap', 'configmaps');

export const secretType = kind('', 'Secret', 'secrets');

export type KeyToPath = { readonly key: string; readonly path: string; readonly mode?: number };

export type DownwardFile = {
  readonly path: string;
  readonly fieldRef?: FieldRef;
  readonly resourceFieldRef?: ResourceFieldRef;
  readonly mode?: number;
};

export type ConfigSource = {
  readonly name?: string;
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
};

export type ProjectedSource = {
  readonly configMap?: ConfigSource;
  readonly secret?: ConfigSource;
  readonly downwardAPI?: { readonly items?: readonly DownwardFile[] };
  readonly serviceAccountToken?: {
    readonly audience?: string;
    readonly expirationSeconds?: number;
    readonly path: string;
  };
};

export type Volume = {
  readonly name: string;
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string | number };
  readonly hostPath?: { readonly path: string; readonly type?: string };
  readonly configMap?: ConfigSource & { readonly defaultMode?: number };
  readonly secret?: {
    readonly secretName?: string;
    readonly items?: readonly KeyToPath[];
    readonly optional?: boolean;
    readonly defaultMode?: number;
  };
  readonly downwardAPI?: { readonly items?: readonly DownwardFile[]; readonly defaultMode?: number };
  readonly projected?: { readonly sources?: readonly ProjectedSource[]; readonly defaultMode?: number };
  readonly [source: string]: unknown;
};

export type ConfigMap = KubeObject & {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
};

export type Secret = KubeObject & { readonly data?: Readonly<Record<string, string>> };
