/** What stands in a pod's volumes, from its spec and the objects it names; pure. */

import type { Pod } from '../objects/pod.ts';
import type {
  ConfigMap,
  ConfigSource,
  DownwardFile,
  KeyToPath,
  ProjectedSource,
  Secret,
  Volume,
} from '../objects/volume.ts';
import { type DownwardSources, downwardField, downwardResource } from './downward.ts';

export type VolumeFile = { readonly path: string; readonly mode: number; readonly content: Uint8Array };

export type VolumePlan =
  | { readonly kind: 'empty'; readonly memory: boolean }
  | { readonly kind: 'host'; readonly path: string; readonly type: string }
  /** Files that follow the objects they come from. */
  | { readonly kind: 'files'; readonly files: readonly VolumeFile[] };

export type VolumeSources = DownwardSources & {
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  /** A token that was asked for with `tokenRequests`, by its volume and path. */
  readonly token: (volume: string, path: string) => string | undefined;
};

/** A service account token that a volume needs. */
export type TokenRequest = {
  readonly volume: string;
  readonly path: string;
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
};

export function tokenRequests(pod: Pod): readonly TokenRequest[] {
  return (pod.spec.volumes ?? []).flatMap((volume) =>
    (volume.projected?.sources ?? []).flatMap(({ serviceAccountToken: token }) =>
      token === undefined
        ? []
        : [
            {
              volume: volume.name,
              path: token.path,
              audience: token.audience,
              expirationSeconds: token.expirationSeconds ?? 3600,
            },
          ],
    ),
  );
}

/** ConfigMaps and Secrets that a pod can't start without knowing, for environment and volumes alike. */
export function referencedObjects(pod: Pod): {
  readonly configMaps: readonly string[];
  readonly secrets: readonly string[];
} {
  const configMaps = new Set<string | undefined>();
  const secrets = new Set<string | undefined>();
  for (const { env = [], envFrom = [] } of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    for (const { valueFrom } of env) {
      configMaps.add(valueFrom?.configMapKeyRef?.name);
      secrets.add(valueFrom?.secretKeyRef?.name);
    }
    for (const { configMapRef, secretRef } of envFrom) {
      configMaps.add(configMapRef?.name);
      secrets.add(secretRef?.name);
    }
  }
  for (const { configMap, secret, projected } of pod.spec.volumes ?? []) {
    configMaps.add(configMap?.name);
    secrets.add(secret?.secretName);
    for (const source of projected?.sources ?? []) {
      configMaps.add(source.configMap?.name);
      secrets.add(source.secret?.name);
    }
  }
  const named = (names: Set<string | undefined>): string[] => [...names].filter((name) => name !== undefined);
  return { configMaps: named(configMaps), secrets: named(secrets) };
}

/** What one volume holds; a problem keeps the pod from being started and is worded for its events. */
export function volumePlan(
  pod: Pod,
  volume: Volume,
  sources: VolumeSources,
): { readonly value: VolumePlan } | { readonly problem: string } {
  if (volume.hostPath !== undefined) {
    return { value: { kind: 'host', path: volume.hostPath.path, type: volume.hostPath.type ?? '' } };
  }
  if (volume.emptyDir !== undefined) {
    return { value: { kind: 'empty', memory: volume.emptyDir.medium === 'Memory' } };
  }
  const problems: string[] = [];
  const files = volumeFiles(pod, volume, sources, problems);
  if (problems[0] !== undefined) return { problem: problems[0] };
  if (files === undefined) {
    const source = Object.keys(volume).find((key) => key !== 'name') ?? 'none';
    return {
      problem: `volume source ${source} is not part of the lab: it has emptyDir, hostPath, configMap, secret, downwardAPI and projected`,
    };
  }
  const outside = files.find(({ path }) => !isInside(path));
  if (outside !== undefined) return { problem: `${JSON.stringify(outside.path)} is no path inside a volume` };
  return { value: { kind: 'files', files } };
}

/** Relative and free of `..`. */
export function isInside(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.split('/').includes('..');
}

function volumeFiles(
  pod: Pod,
  volume: Volume,
  sources: VolumeSources,
  problems: string[],
): readonly VolumeFile[] | undefined {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) {
    return configMapFiles(configMap, configMap.defaultMode ?? 0o644, sources, problems);
  }
  if (secret !== undefined) {
    const { secretName, ...rest } = secret;
    const source: ConfigSource = secretName === undefined ? rest : { ...rest, name: secretName };
    return secretFiles(source, secret.defaultMode ?? 0o644, sources, problems);
  }
  if (downwardAPI !== undefined) {
    return downwardFiles(pod, downwardAPI.items ?? [], downwardAPI.defaultMode ?? 0o644, sources, problems);
  }
  if (projected === undefined) return undefined;
  const mode = projected.defaultMode ?? 0o644;
  return (projected.sources ?? []).flatMap((source) =>
    projectedFiles(pod, volume.name, source, mode, sources, problems),
  );
}

function projectedFiles(
  pod: Pod,
  volume: string,
  source: ProjectedSource,
  mode: number,
  sources: VolumeSources,
  problems: string[],
): readonly VolumeFile[] {
  if (source.configMap !== undefined) return configMapFiles(source.configMap, mode, sources, problems);
  if (source.secret !== undefined) return secretFiles(source.secret, mode, sources, problems);
  if (source.downwardAPI !== undefined) {
    return downwardFiles(pod, source.downwardAPI.items ?? [], mode, sources, problems);
  }
  if (source.serviceAccountToken === undefined) {
    problems.push(`volume ${volume}: a projected source of this kind is not part of the lab`);
    return [];
  }
  const { path } = source.serviceAccountToken;
  const token = sources.token(volume, path);
  if (token === undefined) {
    problems.push(`volume ${volume}: no service account token yet`);
    return [];
  }
  // A container that runs as another user must be able to read its own token.
  return [
    {
      path,
      mode: pod.spec.securityContext?.fsGroup === undefined ? mode : mode | 0o040,
      content: Buffer.from(token),
    },
  ];
}

function configMapFiles(
  source: ConfigSource,
  mode: number,
  sources: VolumeSources,
  problems: string[],
): readonly VolumeFile[] {
  const found = sources.configMap(source.name ?? '');
  const text = Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  const binary = Object.entries(found?.binaryData ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  );
  return keyFiles(
    'configmap',
    source,
    found === undefined ? undefined : new Map([...text, ...binary]),
    mode,
    problems,
  );
}

function secretFiles(
  source: ConfigSource,
  mode: number,
  sources: VolumeSources,
  problems: string[],
): readonly VolumeFile[] {
  const found = sources.secret(source.name ?? '');
  const data = Object.entries(found?.data ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  );
  return keyFiles('secret', source, found === undefined ? undefined : new Map(data), mode, problems);
}

function keyFiles(
  kind: string,
  source: ConfigSource,
  data: ReadonlyMap<string, Uint8Array> | undefined,
  mode: number,
  problems: string[],
): readonly VolumeFile[] {
  const { name = '', optional, items } = source;
  if (data === undefined) {
    if (optional !== true) problems.push(`${kind} "${name}" not found`);
    return [];
  }
  const chosen: readonly KeyToPath[] = items ?? [...data.keys()].map((key) => ({ key, path: key }));
  return chosen.flatMap((item) => {
    const content = data.get(item.key);
    if (content !== undefined) return [{ path: item.path, mode: item.mode ?? mode, content }];
    if (optional !== true) problems.push(`${kind} "${name}" has no key "${item.key}"`);
    return [];
  });
}

function downwardFiles(
  pod: Pod,
  items: readonly DownwardFile[],
  mode: number,
  sources: VolumeSources,
  problems: string[],
): readonly VolumeFile[] {
  return items.flatMap((item) => {
    const { value, problem } =
      item.fieldRef === undefined
        ? downwardResource(item.resourceFieldRef, pod, item.resourceFieldRef?.containerName ?? '')
        : downwardField(item.fieldRef.fieldPath, sources);
    if (problem !== undefined) problems.push(problem);
    return value === undefined
      ? []
      : [{ path: item.path, mode: item.mode ?? mode, content: Buffer.from(value) }];
  });
}
