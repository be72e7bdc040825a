/** NetworkPolicies, Ingresses and IngressClasses. */
import { isIP } from 'node:net';
import { readPrefix } from '#model/ipblock.ts';
import { prefixContains } from '#net/prefix.ts';
import type { FieldProblem } from '../../types.ts';
import { child, forbidden, indexed, invalid, required } from '../problems.ts';
import { at, ensure, type Fields, fill, immutable, list, number, objects, text } from './fields.ts';
import { isDns1123Subdomain, isWildcardSubdomain } from './names.ts';
import { checkPort, checkPortOrName } from './ports.ts';
import { checkSelector } from './selectors.ts';
import type { Semantics } from './semantics.ts';

export const networkPolicySemantics: Semantics = {
  normalize(object) {
    const spec = ensure(object, 'spec');
    for (const direction of ['ingress', 'egress']) {
      for (const [, rule] of objects(spec[direction]))
        for (const [, port] of objects(rule.ports)) fill(port, { protocol: 'TCP' });
    }
    fill(spec, { podSelector: {} });
    // A policy without types is about ingress, and about egress too if it has such rules.
    if (list(spec.policyTypes).length === 0)
      spec.policyTypes = list(spec.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    return object;
  },
  check(object) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [...checkSelector(at(spec, 'podSelector'), 'spec.podSelector')];
    for (const [direction, peers] of [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const) {
      for (const [i, rule] of objects(spec[direction])) {
        const path = indexed(child('spec', direction), i);
        for (const [j, port] of objects(rule.ports))
          problems.push(...checkPolicyPort(port, indexed(child(path, 'ports'), j)));
        for (const [j, peer] of objects(rule[peers]))
          problems.push(...checkPeer(peer, indexed(child(path, peers), j)));
      }
    }
    const types = list(spec.policyTypes);
    if (types.length > 2)
      problems.push(invalid('spec.policyTypes', types, 'may not specify more than two policyTypes'));
    return problems;
  },
};

function checkPolicyPort(port: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (port.port !== undefined) problems.push(...checkPortOrName(port.port, child(path, 'port')));
  const end = number(port.endPort);
  if (end === undefined) return problems;
  const at = child(path, 'endPort');
  if (port.port === undefined)
    problems.push(required(child(path, 'port'), 'must be specified when endPort is set'));
  else if (typeof port.port === 'string')
    problems.push(invalid(at, end, 'may not be used when port is a named port'));
  else if (end < Number(port.port))
    problems.push(invalid(at, end, 'must be greater than or equal to `port`'));
  problems.push(...checkPort(end, at));
  return problems;
}

function checkPeer(peer: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const selectors = ['podSelector', 'namespaceSelector'].filter((name) => peer[name] !== undefined);
  for (const name of selectors) problems.push(...checkSelector(at(peer, name), child(path, name)));
  if (peer.ipBlock === undefined) {
    if (selectors.length === 0) problems.push(required(path, 'must specify a peer'));
    return problems;
  }
  if (selectors.length > 0) problems.push(forbidden(path, 'may not specify both ipBlock and another peer'));
  return [...problems, ...checkBlock(at(peer, 'ipBlock'), child(path, 'ipBlock'))];
}

/** Host bits may be set, and are stored so. */
function checkBlock(block: Fields, path: string): readonly FieldProblem[] {
  const cidr = text(block.cidr);
  if (cidr === '') return [required(child(path, 'cidr'))];
  const prefix = readPrefix(cidr);
  if (prefix === undefined) return [invalid(child(path, 'cidr'), cidr, badCidr)];
  const problems: FieldProblem[] = [];
  for (const [i, each] of list(block.except).entries()) {
    const where = indexed(child(path, 'except'), i);
    const except = readPrefix(each);
    if (except === undefined) problems.push(invalid(where, each, badCidr));
    else if (!prefixContains(prefix, except) || prefix.length === except.length)
      problems.push(invalid(where, each, 'must be a strict subset of `cidr`'));
  }
  return problems;
}

const badCidr = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

export const ingressSemantics: Semantics = {
  check(object) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [];
    if (list(spec.rules).length === 0 && spec.defaultBackend === undefined) {
      problems.push(invalid('spec', spec, 'either `defaultBackend` or `rules` must be specified'));
    }
    if (spec.defaultBackend !== undefined)
      problems.push(...checkBackend(at(spec, 'defaultBackend'), 'spec.defaultBackend'));
    for (const [i, rule] of objects(spec.rules))
      problems.push(...checkIngressRule(rule, indexed('spec.rules', i)));
    for (const [i, tls] of objects(spec.tls)) {
      for (const [j, host] of list(tls.hosts).entries())
        problems.push(...checkHost(text(host), indexed(child(indexed('spec.tls', i), 'hosts'), j)));
    }
    const name = text(spec.ingressClassName);
    if (name !== '' && !isDns1123Subdomain(name))
      problems.push(invalid('spec.ingressClassName', name, 'must be a lowercase RFC 1123 subdomain'));
    return problems;
  },
};

function checkHost(host: string, path: string): readonly FieldProblem[] {
  if (host === '') return [];
  if (isIP(host) !== 0) return [invalid(path, host, 'must be a DNS name, not an IP address')];
  const fine = host.includes('*') ? isWildcardSubdomain(host) : isDns1123Subdomain(host);
  return fine
    ? []
    : [
        invalid(
          path,
          host,
          'must be a lowercase RFC 1123 subdomain, with * as its whole first label or not at all',
        ),
      ];
}

function checkIngressRule(rule: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [...checkHost(text(rule.host), child(path, 'host'))];
  if (rule.http === undefined) return problems;
  const paths = objects(at(rule, 'http').paths);
  if (paths.length === 0) problems.push(required(child(path, 'http.paths')));
  for (const [i, each] of paths) {
    const where = indexed(child(path, 'http.paths'), i);
    const value = text(each.path);
    const absolute = each.pathType === 'Exact' || each.pathType === 'Prefix';
    if (absolute && !value.startsWith('/'))
      problems.push(invalid(child(where, 'path'), value, 'must be an absolute path'));
    if (!absolute && value !== '' && !value.startsWith('/'))
      problems.push(invalid(child(where, 'path'), value, 'must be an absolute path'));
    for (const bad of absolute ? ['//', '/./', '/../', '%2f', '%2F'] : []) {
      if (value.includes(bad))
        problems.push(invalid(child(where, 'path'), value, `must not contain '${bad}'`));
    }
    problems.push(...checkBackend(at(each, 'backend'), child(where, 'backend')));
  }
  return problems;
}

function checkBackend(backend: Fields, path: string): readonly FieldProblem[] {
  const { service, resource } = backend;
  if (service !== undefined && resource !== undefined)
    return [invalid(path, '', 'cannot set both resource and service backends')];
  if (resource !== undefined) return [];
  if (service === undefined) return [required(path, 'resource or service backend is required')];
  const { name, number: value } = at(service, 'port');
  const at_ = child(path, 'service.port');
  if (text(at(service).name) === '') return [required(child(path, 'service.name'))];
  if (text(name) !== '' && value !== undefined && value !== 0)
    return [invalid(at_, '', 'cannot set both port name & port number')];
  if (text(name) !== '') return checkPortOrName(name, child(at_, 'name'));
  return value === undefined || value === 0
    ? [required(at_, 'port name or number is required')]
    : checkPort(value, child(at_, 'number'));
}

export const ingressClassSemantics: Semantics = {
  check(object, old) {
    const spec = at(object, 'spec');
    const controller = text(spec.controller);
    const problems: FieldProblem[] = [];
    if (controller === '') problems.push(required('spec.controller'));
    else if (!/^[a-z0-9.-]+\/\S+$/.test(controller))
      problems.push(
        invalid('spec.controller', controller, "must be a domain-prefixed path (such as 'acme.io/foo')"),
      );
    return old === undefined
      ? problems
      : [...problems, ...immutable(spec, at(old, 'spec'), 'spec', 'controller')];
  },
};
