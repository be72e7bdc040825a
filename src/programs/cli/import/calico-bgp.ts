/** Calico's BGPPeer and BGPConfiguration as BGPNeighbors. */
import { group, version } from '#api/kind.ts';
import type { KubeObject, LabelSelector } from '#api/object.ts';
import { parseAddr } from '#net/addr.ts';
import { parseCalicoSelector } from './calico-selector.ts';
import { type Fields, isRecord, openFields, type Report } from './fields.ts';
import { specOf } from './kube-ovn.ts';
import { keptMetadata, titleOf } from './metadata.ts';

export type BgpDefaults = { readonly localASN: number };

/** What nodes of Calico speak as when nothing else is said. */
const defaultASN = 64_512;

export function readBgpDefaults(objects: readonly KubeObject[], report: Report): BgpDefaults {
  let localASN = defaultASN;
  for (const object of objects) {
    const title = titleOf(object);
    const fields = openFields(specOf(object), title, 'spec', report);
    if (object.metadata.name !== 'default') {
      report.lost(
        title,
        '',
        'is of one node, and has no equal; give the BGPNeighbors of that node a nodeSelector',
      );
      continue;
    }
    localASN = asNumber(fields, 'asNumber') ?? localASN;
    if (fields.take('nodeToNodeMeshEnabled') === false) {
      fields.note(
        'nodeToNodeMeshEnabled',
        'nodes know each other’s blocks from the API, with a mesh or without',
      );
    }
    fields.close('has no equal');
  }
  return { localASN };
}

export function translateBgpPeer(object: KubeObject, defaults: BgpDefaults, report: Report): KubeObject[] {
  const title = titleOf(object);
  const fields = openFields(specOf(object), title, 'spec', report);
  const peer = readPeer(fields);
  const peerNodeSelector = readSelector(fields, 'peerSelector');
  const asn = asNumber(fields, 'asNumber');
  const localASN = asNumber(fields, 'localASNumber') ?? defaults.localASN;
  if (localASN !== defaults.localASN) {
    fields.note('localASNumber', 'must be the same in all BGPNeighbors that a node has');
  }
  const node = fields.text('node');
  const nodeSelector =
    node === undefined
      ? readSelector(fields, 'nodeSelector')
      : { matchLabels: { 'kubernetes.io/hostname': node } };
  const passwordSecretRef = readPassword(fields);
  fields.close('has no equal');
  if ((peer === undefined) === (peerNodeSelector === undefined)) {
    report.lost(title, '', 'is left out: it names no neighbor, or two');
    return [];
  }
  if (nodeSelector === 'unknown' || peerNodeSelector === 'unknown') {
    report.lost(title, '', 'is left out: other nodes than it selects would have this neighbor');
    return [];
  }
  return [
    {
      apiVersion: `${group}/${version}`,
      kind: 'BGPNeighbor',
      metadata: keptMetadata(object, isCalicoAnnotation, report),
      spec: {
        ...peer,
        ...(peerNodeSelector === undefined ? {} : { peerNodeSelector }),
        ...(asn === undefined || peer === undefined ? {} : { asn }),
        localASN,
        ...(nodeSelector === undefined ? {} : { nodeSelector }),
        ...(passwordSecretRef === undefined ? {} : { passwordSecretRef }),
      },
    } as KubeObject,
  ];
}

function isCalicoAnnotation(key: string): boolean {
  return key.includes('projectcalico.org/');
}

/** `address`, `address4:port` or `[address6]:port`. */
function readPeer(fields: Fields): { readonly address: string; readonly port?: number } | undefined {
  const text = fields.text('peerIP');
  if (text === undefined) return undefined;
  if (parseAddr(text) !== undefined) return { address: text };
  const [, six, four, port] = /^(?:\[([^\]]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = six ?? four;
  if (address === undefined || parseAddr(address) === undefined) {
    return fields.lost('peerIP', `"${text}" is no address`);
  }
  return { address, port: Number(port) };
}

/** `unknown`: there is a selector, and labels can't say it. */
function readSelector(fields: Fields, name: string): LabelSelector | 'unknown' | undefined {
  const text = fields.text(name);
  if (text === undefined || (name === 'nodeSelector' && text === 'all()')) return undefined;
  const selector = parseCalicoSelector(text);
  if (selector !== undefined) return selector;
  fields.lost(name, 'can not be said with labels');
  return 'unknown';
}

/** RFC 5396: a number, or `high.low`. */
function asNumber(fields: Fields, name: string): number | undefined {
  const text = fields.text(name);
  if (text === undefined) return undefined;
  const [, high = '0', low] = /^(?:([0-9]{1,5})\.)?([0-9]{1,10})$/.exec(text) ?? [];
  if (low === undefined) return fields.lost(name, `"${text}" is no AS number`);
  return Number(high) * 65_536 + Number(low);
}

/** Calico's Secrets are in the namespace that it runs in. */
function readPassword(fields: Fields): { readonly name: string; readonly key: string } | undefined {
  const password = fields.take('password');
  if (password === undefined || password === null) return undefined;
  const reference = isRecord(password) ? password['secretKeyRef'] : undefined;
  if (!isRecord(reference) || typeof reference['name'] !== 'string' || typeof reference['key'] !== 'string') {
    return fields.lost('password', 'names no Secret and key');
  }
  fields.note('password', `Secret ${reference['name']} must be in the namespace netloom-system`);
  return { name: reference['name'], key: reference['key'] };
}
