/** Reads EndpointSlices (discovery.k8s.io/v1). */
import type { KubeObject } from '#api/object.ts';
import type { Protocol } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { type Family, formatAddr, parseAddr } from '#net/addr.ts';
import { reasonAgainst } from './forbidden.ts';
import { isPort, protocolOf } from './port.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';

export type EndpointSliceModel = {
  readonly origin: Origin;
  /** `namespace/name` of its Service. */
  readonly service: string;
  readonly family: Family;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly EndpointModel[];
};

export type SlicePort = {
  /** The Service port's name: this is how a named targetPort is resolved, slice by slice. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
};

export type EndpointModel = {
  readonly address: string;
  readonly ready: boolean;
  /** Ready but for being terminated. */
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Name of its node. */
  readonly node?: string;
  /** Topology hints (KEP-2433, KEP-3015): clients of which zones, and on which nodes, it is meant for. */
  readonly forZones?: readonly string[];
  readonly forNodes?: readonly string[];
};

/** discovery/v1 EndpointSlice, cut to what is read here. */
type Slice = KubeObject & {
  readonly addressType?: string;
  readonly ports?:
    | readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[]
    | null;
  readonly endpoints?:
    | readonly {
        readonly addresses?: readonly string[];
        readonly conditions?: {
          readonly ready?: boolean;
          readonly serving?: boolean;
          readonly terminating?: boolean;
        };
        readonly nodeName?: string;
        readonly hints?: {
          readonly forZones?: readonly { readonly name?: string }[];
          readonly forNodes?: readonly { readonly name?: string }[];
        };
      }[]
    | null;
};

const serviceLabel = 'kubernetes.io/service-name';
const headlessLabel = 'service.kubernetes.io/headless';

/** A slice of no Service or of a headless one has no value and no problem; a bad endpoint or port is left out. */
export function readEndpointSlice(object: KubeObject): Read<EndpointSliceModel> {
  const headless = headlessLabel in (object.metadata.labels ?? {});
  return headless ? { value: undefined, problems: [] } : readBackendSlice(object);
}

/** Of headless Services, too: whoever goes to endpoints himself needs no virtual address. */
export function readBackendSlice(object: KubeObject): Read<EndpointSliceModel> {
  const slice = object as Slice;
  const labels = object.metadata.labels ?? {};
  const service = labels[serviceLabel];
  if (service === undefined || service === '') return { value: undefined, problems: [] };
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const family = slice.addressType === 'IPv4' ? 4 : slice.addressType === 'IPv6' ? 6 : undefined;
  if (family === undefined) {
    refuse(
      'addressType',
      'NotSupported',
      `"${slice.addressType}" endpoints can't be reached; use IPv4 or IPv6`,
    );
    return { value: undefined, problems };
  }
  const value: EndpointSliceModel = {
    origin,
    service: `${object.metadata.namespace ?? ''}/${service}`,
    family,
    ports: readPorts(slice, refuse),
    endpoints: readEndpoints(slice, family, refuse),
  };
  return { value, problems };
}

function readPorts(slice: Slice, refuse: Refuse): readonly SlicePort[] {
  const kept: SlicePort[] = [];
  for (const [index, { name, protocol, port }] of (slice.ports ?? []).entries()) {
    const field = `ports[${index}]`;
    const known = protocolOf(protocol ?? 'TCP');
    if (known === undefined) {
      refuse(`${field}.protocol`, 'NotSupported', `"${protocol}" is not TCP, UDP or SCTP`);
    } else if (port === undefined || port === null) {
      refuse(`${field}.port`, 'Required', 'a Service needs a port number; "all ports" has no meaning for it');
    } else if (!isPort(port))
      refuse(`${field}.port`, 'InvalidPort', `${String(port)} is not a port (1 to 65535)`);
    else kept.push({ name: name ?? '', protocol: known, port });
  }
  return kept;
}

/** The addresses of one endpoint are the same thing (discovery/v1); consumers use the first. */
function readEndpoints(slice: Slice, family: Family, refuse: Refuse): readonly EndpointModel[] {
  const kept: EndpointModel[] = [];
  for (const [index, { addresses, conditions, nodeName, hints }] of (slice.endpoints ?? []).entries()) {
    const field = `endpoints[${index}].addresses[0]`;
    const text = addresses?.[0];
    const addr = text === undefined ? undefined : parseAddr(text);
    if (addr === undefined) {
      refuse(
        field,
        'InvalidAddress',
        text === undefined ? 'has no address' : `"${text}" is not an IP address`,
      );
      continue;
    }
    if (addr.family !== family) {
      refuse(field, 'WrongFamily', `${text} is not of the slice's addressType ${slice.addressType}`);
      continue;
    }
    const why = reasonAgainst(addr);
    if (why !== undefined) {
      refuse(field, 'ForbiddenAddress', `${text} ${why}; no connection is sent there`);
      continue;
    }
    const ready = conditions?.ready ?? true;
    const forZones = names(hints?.forZones);
    const forNodes = names(hints?.forNodes);
    kept.push({
      address: formatAddr(addr),
      ready,
      serving: conditions?.serving ?? ready,
      terminating: conditions?.terminating ?? false,
      ...(nodeName === undefined ? {} : { node: nodeName }),
      ...(forZones.length === 0 ? {} : { forZones }),
      ...(forNodes.length === 0 ? {} : { forNodes }),
    });
  }
  return kept;
}

function names(hints: readonly { readonly name?: string }[] | undefined): readonly string[] {
  return (hints ?? []).flatMap(({ name }) => (name === undefined || name === '' ? [] : [name]));
}
