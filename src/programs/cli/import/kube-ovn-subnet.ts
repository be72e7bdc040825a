/** A Subnet of Kube-OVN as one of ours. */
import { group, version } from '#api/kind.ts';
import type { KubeObject } from '#api/object.ts';
import { canonicalAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { parseRange } from '#net/range.ts';
import { type Fields, isOff, isRecord, openFields, type Report } from './fields.ts';
import { type KubeOvnNames, specOf } from './kube-ovn.ts';
import { isKubeOvnAnnotation } from './kube-ovn-annotations.ts';
import { keptMetadata, titleOf } from './metadata.ts';

/** Nothing when leaving it out is safer than what would be left of it: the reason is reported. */
export function translateKubeOvnSubnet(
  object: KubeObject,
  names: KubeOvnNames,
  report: Report,
): KubeObject[] {
  const title = titleOf(object);
  const fields = openFields(specOf(object), title, 'spec', report);
  const vpc = fields.text('vpc');
  if (vpc !== undefined && vpc !== 'ovn-cluster') {
    fields.lost('vpc', 'there is one network, without VPCs: the Subnet is left out');
    return [];
  }
  const provider = fields.text('provider');
  if (provider !== undefined && provider !== 'ovn') {
    fields.lost('provider', 'is of a second interface, which pods have not: the Subnet is left out');
    return [];
  }
  if (fields.text('protocol') === 'Mac') {
    fields.lost('protocol', 'a Subnet without addresses has no equal: the Subnet is left out');
    return [];
  }
  const cidrs = listed(fields.text('cidrBlock'));
  if (cidrs.length === 0) {
    fields.lost('cidrBlock', 'is missing: the Subnet is left out');
    return [];
  }
  const gateway = listed(fields.text('gateway'));
  const own = new Set(gateway.map((text) => canonicalAddr(text) ?? text));
  const kept = kubeOvnRanges(fields, 'excludeIps').filter((text) => !own.has(text));
  const vlan = fields.text('vlan');
  const isUnderlay = vlan !== undefined;
  if (isUnderlay && kept.length > 0) {
    fields.note('excludeIps', "are taken for other hosts' addresses on the wire: no pod can ask for one");
  }
  if (isUnderlay && !names.untagged.has(vlan)) {
    fields.lost(
      'vlan',
      `is taken for the nodes' own segment; whether Vlan ${vlan} is that, is not said here`,
    );
  }
  const isDefault = fields.take('default') === true;
  const namespaces = fields.texts('namespaces');
  const namespaceSelector = readSelectors(fields);
  const natOutgoing = fields.take('natOutgoing') === true;
  if (!natOutgoing && !isUnderlay) {
    fields.note(
      'natOutgoing',
      'who outside may open connections to pods is named in allowInboundFrom: nobody by default',
    );
  }
  const isPrivate = fields.take('private') === true;
  const allowSubnets = fields.texts('allowSubnets');
  readTheRest(fields, isUnderlay);

  const metadata = keptMetadata(object, isKubeOvnAnnotation, report);
  const name = names.subnet(metadata.name);
  if (name !== metadata.name) report.note(title, 'metadata.name', `the default Subnet is called "${name}"`);
  else if (name === 'default' && !isDefault) {
    report.lost(title, 'metadata.name', 'the Subnet of this name serves every namespace that no other names');
  }
  return [
    {
      apiVersion: `${group}/${version}`,
      kind: 'Subnet',
      metadata: { ...metadata, name },
      spec: {
        cidrs,
        mode: isUnderlay ? 'underlay' : 'overlay',
        ...(namespaces.length === 0 ? {} : { namespaces }),
        ...(namespaceSelector === undefined ? {} : { namespaceSelector }),
        ...(gateway.length === 0 ? {} : { gateway }),
        ...(kept.length === 0 ? {} : { [isUnderlay ? 'excludedAddresses' : 'reservedAddresses']: kept }),
        ...blockSizes(cidrs),
        outboundAddress: natOutgoing ? 'Node' : 'Pod',
        ...(isPrivate ? { private: true } : {}),
        ...(allowSubnets.length === 0 ? {} : { allowSubnets }),
      },
    } as KubeObject,
  ];
}

/** Kube-OVN knows no blocks: of a small prefix they must be small, else few nodes would get one. */
function blockSizes(cidrs: readonly string[]): { readonly blockSizes?: object } {
  const of = (family: 4 | 6, usual: number, most: number) => {
    const lengths = cidrs.flatMap((text) => {
      const prefix = parsePrefix(text);
      return prefix?.family === family ? [prefix.length] : [];
    });
    const size = Math.min(most, Math.max(...lengths) + 4);
    return lengths.length === 0 || size <= usual ? {} : { [`ipv${family}`]: size };
  };
  const sizes = { ...of(4, 26, 32), ...of(6, 122, 128) };
  return Object.keys(sizes).length === 0 ? {} : { blockSizes: sizes };
}

/** Ranges `a..b`, prefixes and single addresses in our form; what is none of these is reported. */
export function kubeOvnRanges(fields: Fields, name: string): readonly string[] {
  return fields.texts(name).flatMap((text, index) => {
    const ours = text.replace('..', '-');
    if (parseRange(ours) === undefined) {
      fields.lost(`${name}[${index}]`, `"${text}" is no address, range or prefix`);
      return [];
    }
    return [canonicalAddr(ours) ?? ours];
  });
}

function readSelectors(fields: Fields): Record<string, unknown> | undefined {
  const found = fields.take('namespaceSelectors');
  const [first, ...more]: readonly unknown[] = Array.isArray(found) ? found : [];
  for (const index of more.keys()) {
    fields.lost(`namespaceSelectors[${index + 1}]`, 'a Subnet has one selector; list the namespaces instead');
  }
  return isRecord(first) ? first : undefined;
}

/** What has one meaning here, and what has none. */
function readTheRest(fields: Fields, isUnderlay: boolean): void {
  fields.only(
    'gatewayType',
    ['distributed'],
    "has no equal: what leaves the cluster leaves by each pod's own node",
  );
  fields.refuse('gatewayNode', 'has no equal: there is no central gateway');
  fields.refuse('gatewayNodeSelectors', 'has no equal: there is no central gateway');
  fields.refuse('enableEcmp', 'has no equal: there is no central gateway');
  fields.refuse('externalEgressGateway', 'has no equal: there is no policy routing');
  fields.refuse('policyRoutingPriority', 'has no equal: there is no policy routing');
  fields.refuse('policyRoutingTableID', 'has no equal: there is no policy routing');
  fields.refuse('natOutgoingPolicyRules', 'has no equal: outboundAddress holds for all destinations');
  const acls = fields.take('acls');
  if (!isOff(acls)) fields.lost('acls', 'has no equal: write NetworkPolicies');
  // It speaks of ACLs.
  fields.take('allowEWTraffic');
  // Services are always there; pods of all Subnets reach each other; no gateway is asked before a pod starts.
  fields.only('enableLb', [true], 'has no equal');
  if (fields.take('enableLb') === false) fields.lost('enableLb', 'Services can not be switched off');
  fields.take('disableInterConnection');
  fields.take('disableGatewayCheck');
  if (isUnderlay) fields.take('u2oInterconnection');
  fields.refuse('logicalGateway', "has no equal: the physical network's gateway is used");
  fields.refuse('mtu', 'has no equal: each node finds the MTU of its underlay');
  fields.refuse('enableDHCP', 'has no equal: pods have their addresses from the start');
  fields.close('has no equal');
}

function listed(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
