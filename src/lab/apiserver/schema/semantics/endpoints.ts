/** Endpoints and EndpointSlices. */
import { isIPv4, isIPv6 } from 'node:net';
import type { FieldProblem } from '../../types.ts';
import { child, duplicate, indexed, invalid, required, tooMany } from '../problems.ts';
import { checkUsableAddress } from './addresses.ts';
import { at, type Fields, fill, immutable, list, objects, text } from './fields.ts';
import { isDns1123Label, isDns1123Subdomain, portNameProblem } from './names.ts';
import { checkPort } from './ports.ts';
import type { Semantics } from './semantics.ts';

export const endpointsSemantics: Semantics = {
  check(object) {
    const problems: FieldProblem[] = [];
    for (const [i, subset] of objects(object.subsets)) {
      const path = indexed('subsets', i);
      if (list(subset.addresses).length === 0 && list(subset.notReadyAddresses).length === 0) {
        problems.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
      }
      for (const field of ['addresses', 'notReadyAddresses']) {
        for (const [j, { ip }] of objects(subset[field]))
          problems.push(...checkUsableAddress(text(ip), child(indexed(child(path, field), j), 'ip')));
      }
      problems.push(...checkEndpointPorts(objects(subset.ports), child(path, 'ports'), true));
    }
    return problems;
  },
  normalize(object) {
    for (const [, subset] of objects(object.subsets))
      for (const [, port] of objects(subset.ports)) fill(port, { protocol: 'TCP' });
    return object;
  },
};

export const endpointSliceSemantics: Semantics = {
  normalize(object) {
    for (const [, port] of objects(object.ports)) {
      fill(port, { protocol: 'TCP' });
      if (port.name === undefined) port.name = '';
    }
    return object;
  },
  check(object, old) {
    const problems: FieldProblem[] = [];
    const endpoints = objects(object.endpoints);
    if (endpoints.length > 1000) problems.push(tooMany('endpoints', endpoints.length, 1000));
    for (const [i, endpoint] of endpoints)
      problems.push(...checkEndpoint(endpoint, indexed('endpoints', i), text(object.addressType)));
    const ports = objects(object.ports);
    if (ports.length > 100) problems.push(tooMany('ports', ports.length, 100));
    problems.push(...checkEndpointPorts(ports, 'ports', false));
    return old === undefined
      ? problems
      : [...problems, ...immutable(object as Fields, old as Fields, '', 'addressType')];
  },
};

function checkEndpoint(endpoint: Fields, path: string, type: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const addresses = list(endpoint.addresses);
  if (addresses.length === 0)
    problems.push(required(child(path, 'addresses'), 'must contain at least 1 address'));
  if (addresses.length > 100) problems.push(tooMany(child(path, 'addresses'), addresses.length, 100));
  const seen = new Set<string>();
  for (const [i, each] of addresses.entries()) {
    const address = text(each);
    const where = indexed(child(path, 'addresses'), i);
    if (type === 'IPv4' && !isIPv4(address))
      problems.push(invalid(where, address, 'must be a valid IPv4 address'));
    else if (type === 'IPv6' && !isIPv6(address))
      problems.push(invalid(where, address, 'must be a valid IPv6 address'));
    else if (type === 'FQDN' && !isDns1123Subdomain(address.replace(/\.$/, '')))
      problems.push(invalid(where, address, 'must be a fully qualified domain name'));
    else if (type !== 'FQDN') problems.push(...checkUsableAddress(address, where));
    if (seen.has(address)) problems.push(duplicate(where, address));
    seen.add(address);
  }
  const hostname = text(endpoint.hostname);
  if (hostname !== '' && !isDns1123Label(hostname))
    problems.push(invalid(child(path, 'hostname'), hostname, 'must be a lowercase RFC 1123 label'));
  return [...problems, ...checkHints(endpoint, path)];
}

function checkHints(endpoint: Fields, path: string): readonly FieldProblem[] {
  const zones = list(at(endpoint, 'hints').forZones);
  return zones.length > 8 ? [tooMany(child(path, 'hints.forZones'), zones.length, 8)] : [];
}

function checkEndpointPorts(
  ports: readonly (readonly [number, Fields])[],
  path: string,
  needed: boolean,
): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const names = new Set<string>();
  for (const [i, port] of ports) {
    const where = indexed(path, i);
    const name = text(port.name);
    if (name === '' && needed && ports.length > 1) problems.push(required(child(where, 'name')));
    const problem = name === '' ? undefined : portNameProblem(name);
    if (problem !== undefined && !isDns1123Label(name))
      problems.push(invalid(child(where, 'name'), name, problem));
    if (names.has(name)) problems.push(duplicate(child(where, 'name'), name));
    names.add(name);
    if (needed || port.port !== undefined) problems.push(...checkPort(port.port, child(where, 'port')));
  }
  return problems;
}
