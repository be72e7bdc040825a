/** Objects to ask about: out of files and directories, or out of a cluster. */
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

/** Of a file, of all YAML and JSON files below a directory, or of `-`, standard input. Throws UsageError for what can't be read. */
export async function objectsIn(path: string): Promise<readonly KubeObject[]> {
  if (path === '-') return documents('standard input', await text(process.stdin));
  const files = await filesAt(path);
  if (files.length === 0) throw new UsageError(`${path} has no .yaml, .yml or .json file`);
  const all: KubeObject[] = [];
  for (const file of files) {
    const content = await readFile(file, 'utf8').catch((error: unknown) => unreadable(file, error));
    all.push(...documents(file, content));
  }
  return all;
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

async function filesAt(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((error: unknown) => unreadable(path, error));
  if (!found.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(?:ya?ml|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function unreadable(path: string, error: unknown): never {
  throw new UsageError(`${path} can't be read: ${error instanceof Error ? error.message : String(error)}`);
}

function documents(name: string, content: string): readonly KubeObject[] {
  // As kubectl reads YAML.
  return parseAllDocuments(content, { merge: true }).flatMap((document, index) => {
    const [error] = document.errors;
    if (error !== undefined) throw new UsageError(`${name} is no YAML: ${error.message}`);
    const value = document.toJS() as unknown;
    return value === null || value === undefined ? [] : objects(`${name}, document ${index + 1}`, value);
  });
}

function objects(where: string, value: unknown): readonly KubeObject[] {
  const { apiVersion, kind, metadata, items } = (
    typeof value === 'object' ? value : {}
  ) as Partial<KubeObject>;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string')
    throw new UsageError(`${where} is no Kubernetes object: it has no apiVersion and kind`);
  if (kind.endsWith('List') && (items === null || Array.isArray(items)))
    return (items ?? []).flatMap((item, index) => objects(`${where}, item ${index + 1}`, item));
  if (typeof metadata?.name !== 'string') throw new UsageError(`${where}: ${kind} has no metadata.name`);
  return [value as KubeObject];
}
