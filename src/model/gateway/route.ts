/** Reads routes, of all five kinds: whom they are attached to, for which hosts; their rules are read in httprules.ts, grpcrules.ts and here. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { type Raw, rawOf, shown } from '../raw.ts';
import { readBackends } from './backends.ts';
import {
  type Entry,
  forms,
  gatewayObject,
  readEntries,
  readForm,
  readHostname,
  readList,
  readPort,
  readReference,
  readText,
} from './fields.ts';
import { readGRPCRules } from './grpcrules.ts';
import { readHTTPRules } from './httprules.ts';
import { gatewayGroup } from './listeners.ts';
import { readRules } from './rules.ts';
import type { L4RouteModel, ParentReference, RouteBase, RouteKind, RouteModel } from './types.ts';

const kinds: readonly RouteKind[] = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute'];

/**
 * Without a value: one of another kind, and one that names hosts of which none can be used, since it would then take all. Rules keep their
 * places, by which they are called; what can't be served in one makes it unusable.
 */
export function readRoute(object: KubeObject): Read<RouteModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const kind = kinds.find((each) => each === object.kind);
  const spec = rawOf(object['spec']) ?? refuse('spec', 'Required', 'says nothing');
  if (kind === undefined) refuse('kind', 'NotSupported', `${shown(object.kind)} is no kind of route`);
  if (kind === undefined || spec === undefined) return { value: undefined, problems };
  const { namespace } = head;
  const named = kind !== 'TCPRoute' && kind !== 'UDPRoute';
  const hostnames = named ? readHostnames(spec['hostnames'], refuse) : [];
  if (hostnames === undefined) return { value: undefined, problems };
  const defaultGateways = readText(spec['useDefaultGateways'], 'spec.useDefaultGateways', refuse);
  const base: RouteBase = {
    ...head,
    parents: readEntries(spec['parentRefs'], 'spec.parentRefs', refuse).flatMap(
      (entry) => readParent(entry, namespace, refuse) ?? [],
    ),
    ...(defaultGateways === undefined ? {} : { defaultGateways }),
    hostnames,
  };
  return { value: withRules(kind, base, spec, refuse), problems };
}

function withRules(kind: RouteKind, base: RouteBase, spec: Raw, refuse: Refuse): RouteModel {
  const { namespace } = base;
  switch (kind) {
    case 'HTTPRoute':
      return { ...base, kind, rules: readHTTPRules(spec['rules'], namespace, refuse) };
    case 'GRPCRoute':
      return { ...base, kind, rules: readGRPCRules(spec['rules'], namespace, refuse) };
    default:
      return { ...base, kind, rules: readConnectionRules(spec['rules'], namespace, refuse) };
  }
}

function readHostnames(value: unknown, refuse: Refuse): readonly string[] | undefined {
  const field = 'spec.hostnames';
  const given = readList(value, field, refuse);
  const read = given.flatMap((each, index) => {
    const at = `${field}[${index}]`;
    return (
      readHostname(each, at, forms.hostname, refuse) ?? refuse(at, 'InvalidHostname', 'names no host') ?? []
    );
  });
  if (given.length > 0 && read.length === 0) return undefined;
  if (value !== undefined && value !== null && !Array.isArray(value)) return undefined;
  return [...new Set(read)];
}

const parentFields = ['group', 'kind', 'namespace', 'name', 'sectionName', 'port'] as const;

/** One that can't be read is nobody's: it is left out. */
function readParent(entry: Entry, namespace: string, refuse: Refuse): ParentReference | undefined {
  const { raw, field } = entry;
  let bad = false;
  const refuseWhole: Refuse = (...problem) => {
    bad = true;
    return refuse(...problem);
  };
  const fallback = { group: gatewayGroup, kind: 'Gateway', namespace };
  const reference = readReference(entry, fallback, refuseWhole);
  const sectionName = readForm(raw['sectionName'], `${field}.sectionName`, forms.section, refuseWhole);
  const port = readPort(raw['port'], `${field}.port`, refuseWhole);
  if (bad) return undefined;
  const written = parentFields.flatMap((name) => {
    const value = raw[name];
    return typeof value === 'string' || typeof value === 'number' ? [[name, value] as const] : [];
  });
  return {
    ...reference,
    ...(sectionName === undefined ? {} : { sectionName }),
    ...(port === undefined ? {} : { port }),
    written: Object.fromEntries(written),
  };
}

/** Of TLSRoute, TCPRoute and UDPRoute. */
function readConnectionRules(value: unknown, namespace: string, refuse: Refuse): L4RouteModel['rules'] {
  return readRules(value, refuse).map(({ raw, field }) => {
    const name = readForm(raw['name'], `${field}.name`, forms.section, refuse);
    const backends = readBackends(raw['backendRefs'], `${field}.backendRefs`, namespace, refuse);
    return {
      ...(name === undefined ? {} : { name }),
      backends: backends.map(({ reference }) => reference),
    };
  });
}
