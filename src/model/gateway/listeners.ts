/** Reads the listeners of Gateways and ListenerSets, and which namespaces they let in. */
import type { Refuse } from '../problem.ts';
import { rawOf, shown } from '../raw.ts';
import { readSelector } from '../selector.ts';
import {
  type Entry,
  forms,
  readChoice,
  readEntries,
  readForm,
  readHostname,
  readPort,
  readRaw,
  readReference,
  readText,
  readTexts,
} from './fields.ts';
import type { ListenerModel, NamespacesFrom } from './types.ts';

export const gatewayGroup = 'gateway.networking.k8s.io';

/**
 * One whose name, port, protocol, hostname or TLS can't be read is left out: it would take what isn't meant for it. What can't be read of
 * those that it lets in lets nobody in.
 */
export function readListeners(
  value: unknown,
  field: string,
  namespace: string,
  refuse: Refuse,
): readonly ListenerModel[] {
  const kept = new Map<string, ListenerModel>();
  for (const entry of readEntries(value, field, refuse)) {
    const listener = readListener(entry, namespace, refuse);
    if (listener === undefined) continue;
    if (kept.has(listener.name))
      refuse(`${entry.field}.name`, 'DuplicateName', `"${listener.name}" names an earlier listener, too`);
    else kept.set(listener.name, listener);
  }
  return [...kept.values()];
}

function readListener({ raw, field }: Entry, namespace: string, refuse: Refuse): ListenerModel | undefined {
  let bad = false;
  const missing = (name: string) => {
    if (!bad) refuse(`${field}.${name}`, 'Required', 'a listener needs one');
    bad = true;
  };
  const refuseWhole: Refuse = (...problem) => {
    bad = true;
    return refuse(...problem);
  };
  const name = readForm(raw['name'], `${field}.name`, forms.section, refuseWhole) ?? missing('name');
  const protocol = readText(raw['protocol'], `${field}.protocol`, refuseWhole) ?? missing('protocol');
  const port = readPort(raw['port'], `${field}.port`, refuseWhole) ?? missing('port');
  const hostname = readHostname(raw['hostname'], `${field}.hostname`, forms.hostname, refuseWhole);
  const tls = readTLS(raw['tls'], `${field}.tls`, namespace, refuseWhole, refuse);
  const allowed = readRaw(raw['allowedRoutes'], `${field}.allowedRoutes`, refuseWhole);
  if (bad || name === undefined || protocol === undefined || port === undefined) return undefined;
  const kinds = readKinds(allowed['kinds'], `${field}.allowedRoutes.kinds`, refuse);
  return {
    name,
    protocol,
    port,
    ...(hostname === undefined ? {} : { hostname }),
    ...(tls === undefined ? {} : { tls }),
    allowedNamespaces: readNamespaces(
      allowed['namespaces'],
      `${field}.allowedRoutes.namespaces`,
      ['All', 'Same', 'Selector'],
      'Same',
      refuse,
    ),
    ...(kinds === undefined ? {} : { allowedKinds: kinds }),
  };
}

/** A certificate that can't be had is no reason to pass over the listener: its status says so. */
function readTLS(
  value: unknown,
  field: string,
  namespace: string,
  refuse: Refuse,
  refuseReference: Refuse,
): ListenerModel['tls'] {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, field, refuse);
  const mode = readChoice(raw['mode'], `${field}.mode`, ['Terminate', 'Passthrough'], refuse);
  return {
    mode: mode ?? 'Terminate',
    certificates: readEntries(raw['certificateRefs'], `${field}.certificateRefs`, refuse).map((entry) =>
      readReference(entry, { group: '', kind: 'Secret', namespace }, refuseReference),
    ),
    options: readTexts(raw['options'], `${field}.options`, refuse),
  };
}

/** A list without a usable entry is a list all the same: it allows none. */
function readKinds(value: unknown, field: string, refuse: Refuse): ListenerModel['allowedKinds'] {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return undefined;
  return readEntries(value, field, refuse).flatMap(({ raw, field: at }) => {
    const group = raw['group'] === '' ? '' : readText(raw['group'], `${at}.group`, refuse);
    const kind = readText(raw['kind'], `${at}.kind`, refuse);
    return kind === undefined ? [] : [{ group: group ?? gatewayGroup, kind }];
  });
}

/** What can't be read is nobody. */
export function readNamespaces<const From extends NamespacesFrom['from']>(
  value: unknown,
  field: string,
  choices: readonly From[],
  fallback: From,
  refuse: Refuse,
): NamespacesFrom {
  if (value === undefined || value === null) return from(fallback);
  const raw = rawOf(value);
  if (raw === undefined) {
    refuse(field, 'InvalidValue', `${shown(value)} is no object`);
    return { from: 'None' };
  }
  const given = raw['from'] === undefined || raw['from'] === null ? fallback : raw['from'];
  const found = readChoice(given, `${field}.from`, choices, refuse);
  if (found === undefined) return { from: 'None' };
  if (found !== 'Selector') return from(found);
  const { selector } = raw;
  if (selector !== undefined && selector !== null)
    return { from: 'Selector', selector: readSelector(selector, `${field}.selector`, refuse) };
  refuse(`${field}.selector`, 'Required', 'from Selector needs one; it takes no namespace');
  return { from: 'Selector', selector: undefined };
}

function from(value: NamespacesFrom['from']): NamespacesFrom {
  return value === 'Selector' ? { from: value, selector: undefined } : { from: value };
}
