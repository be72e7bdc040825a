/** Checks of pod specs, in pods and in templates. */
import { isIP } from 'node:net';
import type { FieldProblem } from '../../types.ts';
import { child, forbidden, indexed, invalid, required } from '../problems.ts';
import { at, type Fields, list, notNegative, number, objects, text } from './fields.ts';
import { checkLabels } from './metadata.ts';
import { isDns1123Label, isDns1123Subdomain, labelKeyProblem } from './names.ts';
import { checkContainer, checkName, labelRule } from './pod-containers.ts';

/** Problems of a pod spec; paths begin with `path`, for example `spec.template.spec`. */
export function checkPodSpec(spec: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const volumes = checkVolumes(spec, path, problems);
  if (list(spec.containers).length === 0) problems.push(required(child(path, 'containers')));
  const names = new Set<string>();
  for (const containers of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const [i, container] of objects(spec[containers])) {
      const where = indexed(child(path, containers), i);
      problems.push(...checkName(container.name, child(where, 'name'), names));
      problems.push(...checkContainer(container, where, volumes, spec.hostNetwork === true));
    }
  }
  problems.push(...checkLabels(spec.nodeSelector, child(path, 'nodeSelector')));
  problems.push(...checkDns(spec, path), ...checkTolerations(spec, path));
  const deadline = number(spec.activeDeadlineSeconds);
  if (deadline !== undefined && deadline < 1)
    problems.push(
      invalid(child(path, 'activeDeadlineSeconds'), deadline, 'must be between 1 and 2147483647, inclusive'),
    );
  problems.push(
    ...notNegative(spec.terminationGracePeriodSeconds, child(path, 'terminationGracePeriodSeconds')),
  );
  for (const name of ['hostname', 'subdomain']) {
    const value = text(spec[name]);
    if (value !== '' && !isDns1123Label(value)) problems.push(invalid(child(path, name), value, labelRule));
  }
  for (const name of ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName']) {
    const value = text(spec[name]);
    if (value !== '' && !isDns1123Subdomain(value))
      problems.push(invalid(child(path, name), value, 'must be a lowercase RFC 1123 subdomain'));
  }
  for (const [i, alias] of objects(spec.hostAliases)) {
    if (isIP(text(alias.ip)) === 0)
      problems.push(
        invalid(child(indexed(child(path, 'hostAliases'), i), 'ip'), alias.ip, 'must be a valid IP address'),
      );
  }
  return problems;
}

function checkVolumes(spec: Fields, path: string, problems: FieldProblem[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [i, volume] of objects(spec.volumes)) {
    const where = indexed(child(path, 'volumes'), i);
    problems.push(...checkName(volume.name, child(where, 'name'), names));
    const sources = Object.keys(volume).filter((key) => key !== 'name');
    if (sources.length > 1)
      problems.push(forbidden(child(where, sources[1]!), 'may not specify more than 1 volume type'));
    if (volume.hostPath !== undefined && text(at(volume, 'hostPath').path).split('/').includes('..')) {
      problems.push(
        invalid(child(where, 'hostPath.path'), at(volume, 'hostPath').path, "must not contain '..'"),
      );
    }
  }
  return names;
}

function checkDns(spec: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const servers = list(at(spec, 'dnsConfig').nameservers);
  if (spec.dnsPolicy === 'None' && servers.length === 0) {
    problems.push(
      required(
        child(path, 'dnsConfig.nameservers'),
        'must provide at least one DNS nameserver when `dnsPolicy` is None',
      ),
    );
  }
  if (servers.length > 3)
    problems.push(
      invalid(child(path, 'dnsConfig.nameservers'), servers, 'must not have more than 3 nameservers'),
    );
  for (const [i, server] of servers.entries()) {
    if (isIP(text(server)) === 0)
      problems.push(
        invalid(indexed(child(path, 'dnsConfig.nameservers'), i), server, 'must be a valid IP address'),
      );
  }
  return problems;
}

function checkTolerations(spec: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const [i, toleration] of objects(spec.tolerations)) {
    const where = indexed(child(path, 'tolerations'), i);
    const key = text(toleration.key);
    const problem = key === '' ? undefined : labelKeyProblem(key);
    if (problem !== undefined) problems.push(invalid(child(where, 'key'), key, problem));
    if (key === '' && toleration.operator !== 'Exists') {
      problems.push(
        invalid(
          child(where, 'operator'),
          toleration.operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (toleration.operator === 'Exists' && text(toleration.value) !== '') {
      problems.push(
        invalid(child(where, 'operator'), toleration, "value must be empty when `operator` is 'Exists'"),
      );
    }
    if (toleration.tolerationSeconds !== undefined && toleration.effect !== 'NoExecute') {
      problems.push(
        invalid(
          child(where, 'effect'),
          toleration.effect ?? '',
          "effect must be 'NoExecute' when `tolerationSeconds` is set",
        ),
      );
    }
  }
  return problems;
}

/** What a user should know of a pod spec that is taken all the same. */
export function warnPodSpec(spec: Fields, path: string): readonly string[] {
  const warnings: string[] = [];
  for (const containers of ['initContainers', 'containers']) {
    for (const [i, container] of objects(spec[containers])) {
      const seen = new Set<string>();
      for (const [j, variable] of objects(container.env)) {
        const name = text(variable.name);
        const where = indexed(child(indexed(child(path, containers), i), 'env'), j);
        if (seen.has(name))
          warnings.push(
            `${where}: hides previous definition of "${name}", which may be dropped when using apply`,
          );
        seen.add(name);
      }
    }
  }
  return warnings;
}
