/** The runtime's side of the CNI protocol, spec 1.1: configuration lists, chained calls, results and errors. */

/** One plugin's configuration, as written; what the plugin itself reads is none of ours. */
export type PluginConfig = { readonly type: string; readonly [key: string]: unknown };

export type NetworkList = {
  readonly name: string;
  /** The version spoken: the highest of the list's that we know. */
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConfig[];
};

/** What a plugin is asked about. */
export type Attachment = {
  readonly containerID: string;
  /** Empty when the namespace is gone already (DEL only). */
  readonly netns: string;
  readonly interfaceName: string;
  /** CNI_ARGS, in order. */
  readonly args: readonly (readonly [string, string])[];
  /** Values by capability; each plugin gets those that it declares. */
  readonly capabilities: Readonly<Record<string, unknown>>;
};

/** A result of the spec's `ADD`, cut to what a kubelet reads; kept whole for `prevResult`. */
export type CniResult = {
  readonly cniVersion?: string;
  readonly interfaces?: readonly {
    readonly name: string;
    readonly mac?: string;
    readonly sandbox?: string;
  }[];
  readonly ips?: readonly {
    readonly address: string;
    readonly gateway?: string;
    readonly interface?: number;
  }[];
  readonly [key: string]: unknown;
};

export type PluginOutcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs the executable of that type with this environment (beside PATH) and standard input. */
export type PluginCall = (
  type: string,
  environment: Readonly<Record<string, string>>,
  input: string,
) => Promise<PluginOutcome>;

/** A plugin that refused. `code` is the spec's: 11 asks to try again later, 50 and 51 say that no ADD can succeed now. */
export class CniError extends Error {
  readonly plugin: string;
  readonly command: string;
  readonly code: number | undefined;

  constructor(plugin: string, command: string, message: string, code?: number) {
    super(`plugin type=${JSON.stringify(plugin)} failed (${command.toLowerCase()}): ${message}`);
    this.name = 'CniError';
    this.plugin = plugin;
    this.command = command;
    this.code = code;
  }
}

/** Calls every plugin in order, each with the result of the one before. Throws CniError at the first that fails. */
export async function addNetwork(
  list: NetworkList,
  attachment: Attachment,
  call: PluginCall,
): Promise<CniResult> {
  let result: CniResult | undefined;
  for (const plugin of list.plugins) {
    const answer = await callPlugin('ADD', list, plugin, attachment, result, call);
    result = parseResult(plugin.type, answer);
  }
  if (result === undefined) throw new CniError('', 'ADD', 'the configuration has no plugins');
  return result;
}

/** Calls every plugin in reverse order, each with the result of ADD. All are called; the first error is thrown at the end. */
export async function deleteNetwork(
  list: NetworkList,
  attachment: Attachment,
  result: CniResult | undefined,
  call: PluginCall,
): Promise<void> {
  let failure: unknown;
  for (const plugin of list.plugins.toReversed()) {
    try {
      await callPlugin('DEL', list, plugin, attachment, result, call);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

/** Does nothing for a list that disables it. */
export async function checkNetwork(
  list: NetworkList,
  attachment: Attachment,
  result: CniResult,
  call: PluginCall,
): Promise<void> {
  if (list.disableCheck || compareVersions(list.cniVersion, '0.4.0') < 0) return;
  for (const plugin of list.plugins) await callPlugin('CHECK', list, plugin, attachment, result, call);
}

/** Tells every plugin which attachments are still valid. Does nothing below spec 1.1 or for a list that disables it. */
export async function collectGarbage(
  list: NetworkList,
  valid: readonly { readonly containerID: string; readonly ifname: string }[],
  call: PluginCall,
): Promise<void> {
  if (list.disableGC || compareVersions(list.cniVersion, '1.1.0') < 0) return;
  for (const plugin of list.plugins) {
    const input = { ...pluginInput(list, plugin, {}, undefined), 'cni.dev/valid-attachments': valid };
    await invoke(plugin.type, 'GC', {}, input, call);
  }
}

/** Throws CniError when a plugin says that it can't take an ADD now. Does nothing below spec 1.1. */
export async function networkStatus(list: NetworkList, call: PluginCall): Promise<void> {
  if (compareVersions(list.cniVersion, '1.1.0') < 0) return;
  for (const plugin of list.plugins) {
    await invoke(plugin.type, 'STATUS', {}, pluginInput(list, plugin, {}, undefined), call);
  }
}

/** Addresses of the pod's own interfaces, without prefix length, in the plugin's order. */
export function resultAddresses(result: CniResult): readonly string[] {
  const inside = (index: number | undefined): boolean => {
    const named = index === undefined ? undefined : result.interfaces?.[index];
    return named === undefined || (named.sandbox !== undefined && named.sandbox !== '');
  };
  return (result.ips ?? [])
    .filter((ip) => inside(ip.interface))
    .map(({ address }) => address.replace(/\/.*/, ''));
}

function callPlugin(
  command: 'ADD' | 'DEL' | 'CHECK',
  list: NetworkList,
  plugin: PluginConfig,
  attachment: Attachment,
  result: CniResult | undefined,
  call: PluginCall,
): Promise<string> {
  const environment = {
    CNI_CONTAINERID: attachment.containerID,
    CNI_NETNS: attachment.netns,
    CNI_IFNAME: attachment.interfaceName,
    CNI_ARGS: attachment.args.map(([key, value]) => `${key}=${value}`).join(';'),
  };
  // Before 0.4.0 the spec's DEL knows no prevResult, and plugins of that time may refuse it.
  const previous = command === 'DEL' && compareVersions(list.cniVersion, '0.4.0') < 0 ? undefined : result;
  const input = pluginInput(list, plugin, attachment.capabilities, previous);
  return invoke(plugin.type, command, environment, input, call);
}

function pluginInput(
  list: NetworkList,
  { capabilities, ...plugin }: PluginConfig,
  values: Readonly<Record<string, unknown>>,
  previous: CniResult | undefined,
): Record<string, unknown> {
  const declared = Object.entries((capabilities ?? {}) as Readonly<Record<string, unknown>>)
    .filter(([name, wanted]) => wanted === true && values[name] !== undefined)
    .map(([name]) => [name, values[name]] as const);
  return {
    ...plugin,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(declared.length === 0 ? {} : { runtimeConfig: Object.fromEntries(declared) }),
    ...(previous === undefined ? {} : { prevResult: previous }),
  };
}

async function invoke(
  type: string,
  command: string,
  environment: Readonly<Record<string, string>>,
  input: object,
  call: PluginCall,
): Promise<string> {
  const outcome = await call(type, { CNI_COMMAND: command, ...environment }, JSON.stringify(input));
  if (outcome.code === 0) return outcome.stdout;
  const said = parseObject(outcome.stdout);
  const message = [said?.['msg'], said?.['details']].filter(
    (part) => typeof part === 'string' && part !== '',
  );
  const text = message.length > 0 ? message.join('; ') : outcome.stderr.trim() || outcome.stdout.trim();
  const code = typeof said?.['code'] === 'number' ? said['code'] : undefined;
  throw new CniError(type, command, text === '' ? `exit code ${outcome.code}` : text.slice(0, 2000), code);
}

function parseResult(type: string, stdout: string): CniResult {
  const result = parseObject(stdout);
  if (result === undefined) throw new CniError(type, 'ADD', 'its result is not a JSON object');
  return result as CniResult;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function compareVersions(a: string, b: string): number {
  const parts = (version: string): number[] => version.split('.').map(Number);
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
