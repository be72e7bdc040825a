/** Checks of containers. */
import type { FieldProblem } from '../../types.ts';
import { asText } from '../plain.ts';
import { child, duplicate, forbidden, indexed, invalid, required } from '../problems.ts';
import { parseQuantity } from '../quantity.ts';
import { at, type Fields, list, notNegative, number, objects, text } from './fields.ts';
import { isDns1123Label, labelKeyProblem, portNameProblem } from './names.ts';
import { checkPort, checkPortOrName } from './ports.ts';

export const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')";

/** A label that nobody else has. */
export function checkName(value: unknown, path: string, seen: Set<string>): readonly FieldProblem[] {
  const name = text(value);
  if (name === '') return [required(path)];
  if (!isDns1123Label(name)) return [invalid(path, name, labelRule)];
  if (seen.has(name)) return [duplicate(path, name)];
  seen.add(name);
  return [];
}

/** Problems of one container; `volumes` are the names that it may mount. */
export function checkContainer(
  container: Fields,
  path: string,
  volumes: ReadonlySet<string>,
  hostNetwork: boolean,
): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const image = text(container.image);
  if (image === '') problems.push(required(child(path, 'image')));
  else if (image !== image.trim())
    problems.push(invalid(child(path, 'image'), image, 'must not have leading or trailing whitespace'));
  problems.push(...checkContainerPorts(container, path, hostNetwork));
  for (const [i, variable] of objects(container.env)) {
    const name = text(variable.name);
    const where = indexed(child(path, 'env'), i);
    if (name === '') problems.push(required(child(where, 'name')));
    else if (!/^[ -<>-~]+$/.test(name))
      problems.push(
        invalid(
          child(where, 'name'),
          name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      );
    if (text(variable.value) !== '' && variable.valueFrom !== undefined) {
      problems.push(invalid(child(where, 'valueFrom'), '', 'may not be specified when `value` is not empty'));
    }
  }
  const paths = new Set<string>();
  for (const [i, mount] of objects(container.volumeMounts)) {
    const where = indexed(child(path, 'volumeMounts'), i);
    const name = text(mount.name);
    if (name === '') problems.push(required(child(where, 'name')));
    else if (!volumes.has(name)) problems.push(notFound(child(where, 'name'), name));
    const mountPath = text(mount.mountPath);
    if (mountPath === '') problems.push(required(child(where, 'mountPath')));
    else if (paths.has(mountPath))
      problems.push(invalid(child(where, 'mountPath'), mountPath, 'must be unique'));
    paths.add(mountPath);
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    if (container[probe] !== undefined)
      problems.push(...checkProbe(at(container, probe), child(path, probe), probe));
  }
  return [...problems, ...checkResources(at(container, 'resources'), child(path, 'resources'))];
}

function notFound(field: string, value: unknown): FieldProblem {
  return { reason: 'FieldValueInvalid', field, message: `Not found: ${JSON.stringify(value)}` };
}

function checkContainerPorts(container: Fields, path: string, hostNetwork: boolean): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const names = new Set<string>();
  for (const [i, port] of objects(container.ports)) {
    const where = indexed(child(path, 'ports'), i);
    problems.push(...checkPort(port.containerPort, child(where, 'containerPort')));
    const hostPort = number(port.hostPort) ?? 0;
    if (hostPort !== 0) problems.push(...checkPort(hostPort, child(where, 'hostPort')));
    if (hostNetwork && hostPort !== 0 && hostPort !== port.containerPort) {
      problems.push(
        invalid(child(where, 'hostPort'), hostPort, 'must match `containerPort` when `hostNetwork` is true'),
      );
    }
    const name = text(port.name);
    if (name === '') continue;
    const problem = portNameProblem(name);
    if (problem !== undefined) problems.push(invalid(child(where, 'name'), name, problem));
    else if (names.has(name)) problems.push(duplicate(child(where, 'name'), name));
    names.add(name);
  }
  return problems;
}

function checkProbe(probe: Fields, path: string, kind: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((name) => probe[name] !== undefined);
  if (handlers.length === 0) problems.push(required(path, 'must specify a handler type'));
  if (handlers.length > 1)
    problems.push(forbidden(child(path, handlers[1]!), 'may not specify more than 1 handler type'));
  if (probe.exec !== undefined && list(at(probe, 'exec').command).length === 0)
    problems.push(required(child(path, 'exec.command')));
  for (const name of ['httpGet', 'tcpSocket'] as const) {
    if (probe[name] !== undefined)
      problems.push(...checkPortOrName(at(probe, name).port, child(path, `${name}.port`)));
  }
  if (probe.grpc !== undefined) problems.push(...checkPort(at(probe, 'grpc').port, child(path, 'grpc.port')));
  for (const name of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ]) {
    problems.push(...notNegative(probe[name], child(path, name)));
  }
  if (kind !== 'readinessProbe' && probe.successThreshold !== undefined && probe.successThreshold !== 1) {
    problems.push(invalid(child(path, 'successThreshold'), probe.successThreshold, 'must be 1'));
  }
  return problems;
}

function checkResources(resources: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const nanos = (value: unknown) => parseQuantity(asText(value))?.nanos;
  for (const group of ['limits', 'requests']) {
    for (const [name, value] of Object.entries(at(resources, group))) {
      const where = `${child(path, group)}[${name}]`;
      const amount = nanos(value);
      if (amount !== undefined && amount < 0n)
        problems.push(invalid(where, value, 'must be greater than or equal to 0'));
      const problem = labelKeyProblem(name);
      if (problem !== undefined) problems.push(invalid(where, name, problem));
    }
  }
  for (const [name, value] of Object.entries(at(resources, 'requests'))) {
    const limit = at(resources, 'limits')[name];
    const [asked, most] = [nanos(value), nanos(limit)];
    if (asked !== undefined && most !== undefined && asked > most) {
      problems.push(
        invalid(
          child(path, 'requests'),
          value,
          `must be less than or equal to ${name} limit of ${asText(limit)}`,
        ),
      );
    }
  }
  return problems;
}
