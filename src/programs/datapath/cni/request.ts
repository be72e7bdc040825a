/** A CNI call as it comes from the runtime: environment and configuration, validated. */
import { canonicalAddr } from '#net/addr.ts';
import { parseInterfacePrefix } from '#net/prefix.ts';
import { CniError, errorCode } from './error.ts';

export type CniVersion = '0.4.0' | '1.0.0' | '1.1.0';

export type Dns = {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
};

type Common = { readonly cniVersion: CniVersion; readonly network: string };

/** One interface of one container. */
export type Attachment = {
  /** `containerID/interface`. */
  readonly key: string;
  readonly containerID: string;
  readonly interface: string;
};

export type AddRequest = Common &
  Attachment & {
    readonly command: 'ADD';
    readonly netns: string;
    readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
    readonly dns: Dns | undefined;
  };
export type CheckRequest = Common &
  Attachment & {
    readonly command: 'CHECK';
    readonly netns: string;
    /** Addresses of our interface in the result that the runtime keeps. */
    readonly addresses: readonly string[];
  };
export type DelRequest = Common & Attachment & { readonly command: 'DEL' };
export type GcRequest = Common & { readonly command: 'GC'; readonly valid: ReadonlySet<string> };
export type StatusRequest = Common & { readonly command: 'STATUS' };

export type CniRequest = AddRequest | CheckRequest | DelRequest | GcRequest | StatusRequest;

export const newestVersion: CniVersion = '1.1.0';

/** The version to answer in, whatever else is wrong with a configuration. */
export function versionOf(config: unknown): CniVersion {
  const asked = (config as { cniVersion?: unknown } | undefined)?.cniVersion;
  return isVersion(asked) ? asked : newestVersion;
}

/** The JSON of standard input; throws CniError 6. */
export function decodeConfig(text: string): Readonly<Record<string, unknown>> {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw new CniError(
      errorCode.decodeFailure,
      `the network configuration is not JSON: ${(error as Error).message}`,
    );
  }
  if (!isObject(config)) {
    throw new CniError(errorCode.decodeFailure, 'the network configuration is not a JSON object');
  }
  return config;
}

/** Throws CniError 1, 4 or 7 with the variable or field that is wrong. */
export function readRequest(
  environment: Readonly<Record<string, string>>,
  config: Readonly<Record<string, unknown>>,
): CniRequest {
  const cniVersion = config['cniVersion'] ?? '';
  if (!isVersion(cniVersion)) {
    throw new CniError(
      errorCode.incompatibleVersion,
      `cniVersion ${quote(cniVersion)} is not supported`,
      `supported: ${versions.join(', ')}`,
    );
  }
  const network = config['name'];
  if (typeof network !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(network)) {
    throw new CniError(errorCode.invalidConfig, `name: ${quote(network)} is not a network name`);
  }
  const common = { cniVersion, network };
  const command = environment['CNI_COMMAND'];
  if ((command === 'GC' || command === 'STATUS') && cniVersion !== '1.1.0') {
    throw new CniError(errorCode.incompatibleVersion, `${command} needs cniVersion 1.1.0, not ${cniVersion}`);
  }
  switch (command) {
    case 'STATUS':
      return { command, ...common };
    case 'GC':
      return { command, ...common, valid: readValidAttachments(config) };
    case 'DEL':
      return { command, ...common, ...readAttachment(environment) };
    case 'CHECK':
      return {
        command,
        ...common,
        ...readAttachment(environment),
        netns: readNetns(environment),
        addresses: readPrevious(config, environment['CNI_IFNAME'] ?? ''),
      };
    case 'ADD':
      if (config['prevResult'] !== undefined && config['prevResult'] !== null) {
        const message = 'prevResult: netloom makes the interface, so it must be the first plugin of the list';
        throw new CniError(errorCode.invalidConfig, message);
      }
      return {
        command,
        ...common,
        ...readAttachment(environment),
        netns: readNetns(environment),
        pod: readPod(environment['CNI_ARGS'] ?? ''),
        dns: readDns(config['dns']),
      };
    default:
      throw new CniError(errorCode.invalidEnvironment, `CNI_COMMAND ${quote(command)} is not known`);
  }
}

const versions: readonly CniVersion[] = ['0.4.0', '1.0.0', '1.1.0'];

function isVersion(value: unknown): value is CniVersion {
  return versions.includes(value as CniVersion);
}

function readAttachment(environment: Readonly<Record<string, string>>): Attachment {
  const containerID = environment['CNI_CONTAINERID'] ?? '';
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/.test(containerID)) {
    throw new CniError(
      errorCode.invalidEnvironment,
      `CNI_CONTAINERID: ${quote(containerID)} is not a container ID`,
    );
  }
  const name = environment['CNI_IFNAME'] ?? '';
  // dev_valid_name() of the kernel, and no character that needs quoting anywhere.
  if (!/^[a-zA-Z0-9_.@-]{1,15}$/.test(name) || name === '.' || name === '..' || name === 'lo') {
    throw new CniError(
      errorCode.invalidEnvironment,
      `CNI_IFNAME: ${quote(name)} is not usable as interface name`,
    );
  }
  return { key: `${containerID}/${name}`, containerID, interface: name };
}

function readNetns(environment: Readonly<Record<string, string>>): string {
  const netns = environment['CNI_NETNS'] ?? '';
  if (!netns.startsWith('/')) {
    throw new CniError(errorCode.invalidEnvironment, `CNI_NETNS: ${quote(netns)} is not an absolute path`);
  }
  return netns;
}

function readPod(args: string): AddRequest['pod'] {
  const pairs = args.split(';').map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  const values = new Map(pairs);
  const namespace = values.get('K8S_POD_NAMESPACE') ?? '';
  const name = values.get('K8S_POD_NAME') ?? '';
  const uid = values.get('K8S_POD_UID') ?? '';
  const dns1123 = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
  if (!dns1123.test(namespace) || namespace.length > 63) {
    throw new CniError(
      errorCode.invalidEnvironment,
      `CNI_ARGS: K8S_POD_NAMESPACE=${quote(namespace)} names no namespace`,
    );
  }
  if (!dns1123.test(name)) {
    throw new CniError(errorCode.invalidEnvironment, `CNI_ARGS: K8S_POD_NAME=${quote(name)} names no pod`);
  }
  if (!/^[a-zA-Z0-9-]{0,64}$/.test(uid)) {
    throw new CniError(errorCode.invalidEnvironment, `CNI_ARGS: K8S_POD_UID=${quote(uid)} is not a UID`);
  }
  return { namespace, name, uid };
}

function readValidAttachments(config: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const field = 'cni.dev/valid-attachments';
  const list = config[field];
  if (!Array.isArray(list)) {
    // Without the list everything would look stale: refuse rather than tear down every pod.
    throw new CniError(errorCode.invalidConfig, `${field}: a list is needed`);
  }
  return new Set(
    list.map((entry: unknown) => {
      const { containerID, ifname } = (isObject(entry) ? entry : {}) as {
        containerID?: unknown;
        ifname?: unknown;
      };
      if (typeof containerID !== 'string' || typeof ifname !== 'string') {
        throw new CniError(errorCode.invalidConfig, `${field}: an entry lacks containerID or ifname`);
      }
      return `${containerID}/${ifname}`;
    }),
  );
}

function readPrevious(config: Readonly<Record<string, unknown>>, name: string): string[] {
  const result = config['prevResult'];
  if (!isObject(result)) {
    throw new CniError(errorCode.invalidConfig, 'prevResult: CHECK needs the result of the ADD');
  }
  const interfaces: readonly unknown[] = Array.isArray(result['interfaces']) ? result['interfaces'] : [];
  const ips: readonly unknown[] = Array.isArray(result['ips']) ? result['ips'] : [];
  return ips.flatMap((ip) => {
    if (!isObject(ip)) return [];
    const owner = typeof ip['interface'] === 'number' ? interfaces[ip['interface']] : undefined;
    if (isObject(owner) && (owner['name'] !== name || !owner['sandbox'])) return [];
    const parsed = parseInterfacePrefix(String(ip['address']));
    if (parsed === undefined) {
      throw new CniError(errorCode.invalidConfig, `prevResult: ${quote(ip['address'])} is not an address`);
    }
    return [canonicalAddr(String(ip['address']).replace(/\/.*/, ''))!];
  });
}

function readDns(dns: unknown): Dns | undefined {
  if (dns === undefined || dns === null) return undefined;
  if (!isObject(dns)) throw new CniError(errorCode.invalidConfig, 'dns: not an object');
  for (const field of ['nameservers', 'search', 'options']) {
    const list = dns[field];
    if (list !== undefined && !(Array.isArray(list) && list.every((each) => typeof each === 'string'))) {
      throw new CniError(errorCode.invalidConfig, `dns.${field}: not a list of strings`);
    }
  }
  if (dns['domain'] !== undefined && typeof dns['domain'] !== 'string') {
    throw new CniError(errorCode.invalidConfig, 'dns.domain: not a string');
  }
  const { nameservers, domain, search, options } = dns as Dns;
  return {
    ...(nameservers === undefined ? {} : { nameservers }),
    ...(domain === undefined ? {} : { domain }),
    ...(search === undefined ? {} : { search }),
    ...(options === undefined ? {} : { options }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function quote(value: unknown): string {
  return JSON.stringify(value ?? '').slice(0, 120);
}
