/** A container's environment from its spec; pure. */

import type { Container, KeyRef } from '../objects/container.ts';
import type { Pod } from '../objects/pod.ts';
import type { Service } from '../objects/service.ts';
import type { ConfigMap, Secret } from '../objects/volume.ts';
import { downwardField, downwardResource } from './downward.ts';

export type EnvSources = {
  readonly pod: Pod;
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  /** Services of the pod's namespace, and `default/kubernetes`. */
  readonly services: readonly Service[];
  /** What the image sets. */
  readonly image: Readonly<Record<string, string>>;
};

/** Without all of its sources a container must not start: each missing one is a problem, worded for its status. */
export type Environment = {
  readonly value: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
};

/** Later ones win: image, Services, `envFrom`, `env`; `$(NAME)` refers to what was set before. */
export function containerEnvironment(container: Container, sources: EnvSources): Environment {
  const problems: string[] = [];
  const own: Record<string, string> = {
    ...serviceEnvironment(sources.services, sources.pod),
  };
  for (const from of container.envFrom ?? []) {
    Object.assign(own, prefixed(from.prefix ?? '', allKeys(from, sources, problems)));
  }
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined
        ? expand(variable.value ?? '', own)
        : referenced(variable.valueFrom, container, sources, problems);
    if (value !== undefined) own[variable.name] = value;
  }
  return { value: { ...sources.image, ...own }, problems };
}

/** `$(NAME)` becomes the variable's value, `$$` a dollar; an unknown name stays as it is written. */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return Object.hasOwn(variables, name) ? (variables[name] as string) : whole;
  });
}

/**
 * The variables that a kubelet sets for Services with a cluster address: those of `default/kubernetes` always, those of the
 * pod's namespace unless `enableServiceLinks` is false.
 */
export function serviceEnvironment(services: readonly Service[], pod: Pod): Record<string, string> {
  const links = pod.spec.enableServiceLinks !== false;
  const chosen = services.filter(
    ({ metadata }) =>
      (metadata.namespace === 'default' && metadata.name === 'kubernetes') ||
      (links && metadata.namespace === pod.metadata.namespace),
  );
  const variables: Record<string, string> = {};
  for (const service of chosen) {
    const host = service.spec.clusterIP;
    const ports = service.spec.ports ?? [];
    if (host === undefined || host === '' || host === 'None' || ports[0] === undefined) continue;
    const name = service.metadata.name.toUpperCase().replaceAll(/[-.]/g, '_');
    const bracketed = host.includes(':') ? `[${host}]` : host;
    const url = (port: (typeof ports)[number]): string =>
      `${(port.protocol ?? 'TCP').toLowerCase()}://${bracketed}:${port.port}`;
    variables[`${name}_SERVICE_HOST`] = host;
    variables[`${name}_SERVICE_PORT`] = String(ports[0].port);
    variables[`${name}_PORT`] = url(ports[0]);
    for (const port of ports) {
      if (port.name)
        variables[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`] = String(port.port);
      const prefix = `${name}_PORT_${port.port}_${port.protocol ?? 'TCP'}`;
      variables[prefix] = url(port);
      variables[`${prefix}_PROTO`] = (port.protocol ?? 'TCP').toLowerCase();
      variables[`${prefix}_PORT`] = String(port.port);
      variables[`${prefix}_ADDR`] = host;
    }
  }
  return variables;
}

function allKeys(
  from: NonNullable<Container['envFrom']>[number],
  sources: EnvSources,
  problems: string[],
): Readonly<Record<string, string>> {
  if (from.configMapRef !== undefined) {
    const { name = '', optional } = from.configMapRef;
    const found = sources.configMap(name);
    if (found === undefined && optional !== true) problems.push(`configmap "${name}" not found`);
    return found?.data ?? {};
  }
  if (from.secretRef !== undefined) {
    const { name = '', optional } = from.secretRef;
    const found = sources.secret(name);
    if (found === undefined && optional !== true) problems.push(`secret "${name}" not found`);
    return decoded(found?.data ?? {});
  }
  return {};
}

function prefixed(prefix: string, data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [prefix + key, value]));
}

function decoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  );
}

function referenced(
  from: NonNullable<NonNullable<Container['env']>[number]['valueFrom']>,
  container: Container,
  sources: EnvSources,
  problems: string[],
): string | undefined {
  if (from.configMapKeyRef !== undefined) {
    const found = sources.configMap(from.configMapKeyRef.name ?? '');
    return keyed('configmap', from.configMapKeyRef, found?.data, problems);
  }
  if (from.secretKeyRef !== undefined) {
    const found = sources.secret(from.secretKeyRef.name ?? '');
    const data = found === undefined ? undefined : decoded(found.data ?? {});
    return keyed('secret', from.secretKeyRef, data, problems);
  }
  const { value, problem } =
    from.fieldRef === undefined
      ? downwardResource(from.resourceFieldRef, sources.pod, container.name)
      : downwardField(from.fieldRef.fieldPath, sources);
  if (problem !== undefined) problems.push(problem);
  return value;
}

function keyed(
  kind: string,
  ref: KeyRef,
  data: Readonly<Record<string, string>> | undefined,
  problems: string[],
): string | undefined {
  const name = ref.name ?? '';
  if (data !== undefined && Object.hasOwn(data, ref.key)) return data[ref.key];
  if (ref.optional !== true) {
    problems.push(
      data === undefined
        ? `${kind} "${name}" not found`
        : `couldn't find key ${ref.key} in ${kind} "${name}"`,
    );
  }
  return undefined;
}
