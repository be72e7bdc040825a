/** A node's CNI configuration files: which one counts, and what it says; pure. */
import type { NetworkList, PluginConfig } from './cni.ts';

/** The versions of the spec that this runtime speaks, in order. */
const knownVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

/** A `.conflist` file, or a `.conf` or `.json` file that names one plugin. */
export function parseNetworkList(
  text: string,
): { readonly value: NetworkList } | { readonly problem: string } {
  let raw: Record<string, unknown>;
  try {
    raw = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    return { problem: `not JSON: ${(error as Error).message}` };
  }
  if (typeof raw !== 'object' || raw === null || typeof raw['name'] !== 'string' || raw['name'] === '') {
    return { problem: 'no name' };
  }
  const plugins = raw['plugins'] === undefined ? [raw] : raw['plugins'];
  if (!Array.isArray(plugins) || plugins.length === 0) return { problem: 'no plugins' };
  const untyped = plugins.findIndex((plugin) => typeof (plugin as PluginConfig | null)?.type !== 'string');
  if (untyped >= 0) return { problem: `plugins[${untyped}] has no type` };
  const types = (plugins as readonly PluginConfig[]).map(({ type }) => type);
  if (types.some((type) => type === '' || type.includes('/')))
    return { problem: 'a plugin type is no file name' };
  const offered = [
    raw['cniVersion'] ?? '0.2.0',
    ...(Array.isArray(raw['cniVersions']) ? raw['cniVersions'] : []),
  ];
  const spoken = knownVersions.findLast((version) => offered.includes(version));
  if (spoken === undefined) return { problem: `no known cniVersion in ${JSON.stringify(offered)}` };
  return {
    value: {
      name: raw['name'],
      cniVersion: spoken,
      disableCheck: raw['disableCheck'] === true || raw['disableCheck'] === 'true',
      disableGC: raw['disableGC'] === true || raw['disableGC'] === 'true',
      plugins: plugins as readonly PluginConfig[],
    },
  };
}

/** The first usable file in the order of their names, as runtimes choose; the ones before it are problems. */
export function chooseNetworkList(files: readonly { readonly name: string; readonly text: string }[]): {
  readonly value: NetworkList | undefined;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const candidates = files.filter(({ name }) => /\.(conflist|conf|json)$/.test(name));
  for (const { name, text } of candidates.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const parsed = parseNetworkList(text);
    if ('value' in parsed) return { value: parsed.value, problems };
    problems.push(`${name}: ${parsed.problem}`);
  }
  return { value: undefined, problems };
}
