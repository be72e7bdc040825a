/** Reads what a pod's annotations say of its addresses. */
import { compareAddr, formatAddr, parseAddr } from '#net/addr.ts';
import { formatMac, isUnicastMac, parseMac } from '#net/mac.ts';
import { annotations } from './annotations.ts';
import type { PodModel } from './pod.ts';
import { collectProblems, type Read, type Refuse } from './problem.ts';

/** What the pod's own annotations say. */
export type AddressWishes = {
  readonly subnet?: string;
  readonly pool?: string;
  /** The pod takes all addresses of one entry that is free. */
  readonly entries?: readonly AddressEntry[];
  /** Of the pod's interface, where `entries` doesn't say it. */
  readonly mac?: string;
  /** `Pod:NAME` or `VM:NAME`. */
  readonly keep?: string;
  /** `OnOwnerDeletion`, `Never` or `Ns`. */
  readonly release?: string;
};

/** At most one address a family, canonical, IPv4 first. */
export type AddressEntry = { readonly addresses: readonly string[]; readonly mac?: string };

const group = 'netloom.dev/';

/** More would be a pool. */
const mostEntries = 256;

/** A pod whose annotations are wrong is no ordinary pod: it is refused as a whole, never given what it didn't ask for. */
export function readWishes(
  pod: Pick<PodModel, 'origin' | 'name' | 'annotations' | 'statefulSet'>,
): Read<AddressWishes> {
  const { annotations: given, name, statefulSet } = pod;
  const { problems, refuse } = collectProblems(pod.origin);
  if (!Object.keys(given).some((key) => key.startsWith(group))) return { value: {}, problems };
  const text = (annotation: string): string | undefined => {
    const value = Object.hasOwn(given, annotation) ? given[annotation]!.trim() : undefined;
    if (value === '') return refuse(field(annotation), 'InvalidAnnotation', 'is empty');
    return value;
  };
  const subnet = text(annotations.subnet);
  const pool = text(annotations.pool);
  const entries = readEntries(text(annotations.addresses), refuse);
  const macs = readMacs(text(annotations.mac), refuse);
  if (macs !== undefined && macs.length > 1 && macs.length !== entries?.length) {
    const message = `has ${macs.length} MAC addresses for ${entries?.length ?? 0} entries of ${annotations.addresses}; give one, or one for each entry`;
    refuse(field(annotations.mac), 'InvalidAnnotation', message);
  }
  const keep = readKeep(text(annotations.keep), name, refuse);
  const release = readRelease(text(annotations.release), refuse);
  if (release !== undefined && keep === undefined) {
    const message = `says when kept addresses are given up, but ${annotations.keep} is missing`;
    refuse(field(annotations.release), 'InvalidAnnotation', message);
  }
  const isRemade = keep?.startsWith('VM:') === true || statefulSet !== undefined;
  if (keep !== undefined && !isRemade && (release ?? 'OnOwnerDeletion') === 'OnOwnerDeletion') {
    const message =
      `"Pod" keeps addresses while a StatefulSet makes the pod again under its name, and no StatefulSet owns this one; ` +
      `say with ${annotations.release} when they are given up (Never, or a duration like 10m)`;
    refuse(field(annotations.keep), 'InvalidAnnotation', message);
  }
  const [mac] = macs ?? [];
  const value: AddressWishes = {
    ...(subnet === undefined ? {} : { subnet }),
    ...(pool === undefined ? {} : { pool }),
    ...(entries === undefined
      ? {}
      : { entries: entries.map((addresses, i) => ({ addresses, ...macOf(macs?.[i] ?? mac) })) }),
    ...macOf(mac),
    ...(keep === undefined ? {} : { keep, release: release ?? 'OnOwnerDeletion' }),
  };
  return { value: problems.length > 0 ? undefined : value, problems };
}

function readEntries(text: string | undefined, refuse: Refuse): (readonly string[])[] | undefined {
  if (text === undefined) return undefined;
  const at = field(annotations.addresses);
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > mostEntries) {
    return refuse(at, 'InvalidAnnotation', `has more than ${mostEntries} entries; make an IPPool`);
  }
  const entries: (readonly string[])[] = [];
  for (const part of parts) {
    const addresses = part.split('+').map((each) => parseAddr(each.trim()));
    const known = addresses.filter((each) => each !== undefined).sort(compareAddr);
    if (known.length < addresses.length) {
      const message = `"${part}" is no address, and no IPv4 and IPv6 address joined by +`;
      return refuse(at, 'InvalidAnnotation', message);
    }
    if (new Set(known.map(({ family }) => family)).size < known.length) {
      return refuse(at, 'InvalidAnnotation', `"${part}" has two addresses of one family`);
    }
    entries.push(known.map(formatAddr));
  }
  const all = entries.flat();
  const twice = all.find((address, index) => all.indexOf(address) !== index);
  if (twice !== undefined) return refuse(at, 'InvalidAnnotation', `has ${twice} twice`);
  return entries;
}

function readMacs(text: string | undefined, refuse: Refuse): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const at = field(annotations.mac);
  const macs: string[] = [];
  for (const part of text.split(',').map((each) => each.trim())) {
    const mac = parseMac(part);
    if (mac === undefined || !isUnicastMac(mac)) {
      return refuse(at, 'InvalidAnnotation', `"${part}" is no MAC address of one station`);
    }
    macs.push(formatMac(mac));
  }
  return macs;
}

function readKeep(text: string | undefined, name: string, refuse: Refuse): string | undefined {
  if (text === undefined) return undefined;
  if (text === 'Pod') return `Pod:${name}`;
  // The name of a Kubernetes object (RFC 1123 subdomain).
  if (/^VM:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) return text;
  const message = `"${text}" is neither Pod nor VM:NAME`;
  return refuse(field(annotations.keep), 'InvalidAnnotation', message);
}

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function readRelease(text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined || text === 'OnOwnerDeletion' || text === 'Never') return text;
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (number !== undefined && unit !== undefined) return `${Number(number) * seconds[unit]!}s`;
  const message = `"${text}" is neither OnOwnerDeletion, nor Never, nor a duration like 90s, 10m, 12h or 7d`;
  return refuse(field(annotations.release), 'InvalidAnnotation', message);
}

function field(annotation: string): string {
  return `metadata.annotations[${annotation}]`;
}

function macOf(mac: string | undefined): { readonly mac?: string } {
  return mac === undefined ? {} : { mac };
}
