/** Objects to ask about: out of files and directories, or out of a cluster. */
import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseAllDocuments } from 'yaml';
import { endpointSliceType, namespaceType, nodeType, podType, serviceType } from '#api/core.ts';
import { blockClaimKind } from '#api/kinds/blockclaim.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import {
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
  networkPolicyType,
} from '#api/policies.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import { UsageError } from '../command.ts';

export type Written = {
  readonly objects: readonly KubeObject[];
  /** What is among the files of a directory and is no object of a cluster: where, and why. */
  readonly others: readonly string[];
};

/**
 * Of files, of all YAML and JSON files below directories, and of `-`, standard input; a line each. Throws UsageError for what can't be
 * read, and for a file that was named and holds something else.
 */
export async function objectsIn(paths: string): Promise<Written> {
  const objects: KubeObject[] = [];
  const others: string[] = [];
  // Standard input ends once.
  for (const path of new Set(paths.split('\n'))) {
    const isDirectory = path !== '-' && (await found(path)).isDirectory();
    const files = isDirectory ? await filesBelow(path) : [path];
    if (files.length === 0) throw new UsageError(`${path} has no .yaml, .yml or .json file`);
    for (const file of files) {
      const name = file === '-' ? 'standard input' : file;
      const content =
        file === '-'
          ? await text(process.stdin)
          : await readFile(file, 'utf8').catch((error: unknown) => unreadable(file, error));
      for (const each of documents(name, content)) {
        if (typeof each !== 'string') objects.push(each);
        else if (isDirectory) others.push(each);
        else throw new UsageError(each);
      }
    }
  }
  return { objects, others };
}

const types: readonly ResourceType[] = [
  namespaceType,
  nodeType,
  podType,
  serviceType,
  endpointSliceType,
  networkPolicyType,
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
  subnetKind,
  blockClaimKind,
];

/** A kind that the cluster doesn't have has no objects. */
export async function objectsOf(client: Client): Promise<readonly KubeObject[]> {
  const lists = await Promise.all(
    types.map(async (type): Promise<readonly KubeObject[]> => {
      try {
        const { items } = await client.list(type);
        // Items of a list come without what the list says once.
        const apiVersion = type.group === '' ? type.version : `${type.group}/${type.version}`;
        return items.map((item) => ({ ...item, apiVersion, kind: type.kind }));
      } catch (error) {
        if (isNotFound(error)) return [];
        throw error;
      }
    }),
  );
  return lists.flat();
}

function found(path: string): Promise<Stats> {
  return stat(path).catch((error: unknown) => unreadable(path, error));
}

async function filesBelow(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(?:ya?ml|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function unreadable(path: string, error: unknown): never {
  throw new UsageError(`${path} can't be read: ${error instanceof Error ? error.message : String(error)}`);
}

/** A text where there is no object: values of a chart, or what tools read that write manifests. */
function documents(name: string, content: string): readonly (KubeObject | string)[] {
  // As kubectl reads YAML.
  return parseAllDocuments(content, { merge: true }).flatMap((document, index) => {
    const [error] = document.errors;
    if (error !== undefined) throw new UsageError(`${name} is no YAML: ${error.message}`);
    const value = document.toJS() as unknown;
    return value === null || value === undefined ? [] : objects(`${name}, document ${index + 1}`, value);
  });
}

function objects(where: string, value: unknown): readonly (KubeObject | string)[] {
  const { apiVersion, kind, metadata, items } = (
    typeof value === 'object' ? value : {}
  ) as Partial<KubeObject>;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string')
    return [`${where} is no Kubernetes object: it has no apiVersion and kind`];
  if (kind.endsWith('List') && (items === null || Array.isArray(items)))
    return (items ?? []).flatMap((item, index) => objects(`${where}, item ${index + 1}`, item));
  if (typeof metadata?.name === 'string') return [value as KubeObject];
  const nameless = `${where}: ${kind} has no metadata.name`;
  // Of a kind that clusters have it is a mistake.
  if (isToolFile(apiVersion)) return [nameless];
  throw new UsageError(nameless);
}

/** `Kustomization` and `Component`. */
function isToolFile(apiVersion: string): boolean {
  return apiVersion.startsWith('kustomize.config.k8s.io/');
}
