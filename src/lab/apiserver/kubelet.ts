/** The paths of the kubelet's unix-socket interface (kubelet-contract.md): built here, parsed by the kubelet. */

/** One container on one node. */
export type ContainerAddress = {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
};

/** Where a request to a pod goes: an address, as its node reaches it. */
export type DialTarget = { readonly node: string; readonly address: string; readonly port: number };

export type LogOptions = {
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly timestamps?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
};

export type ExecOptions = {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
};

/** Sub-protocols of exec, best first. */
export const execProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;

export type KubeletRequest =
  | { readonly verb: 'logs'; readonly container: ContainerAddress; readonly options: LogOptions }
  | { readonly verb: 'exec'; readonly container: ContainerAddress; readonly options: ExecOptions };

/** Path and query of a request to the kubelet. */
export function kubeletPath(request: KubeletRequest): string {
  const { node, namespace, pod, container } = request.container;
  const path = [request.verb, node, namespace, pod, container].map(encodeURIComponent).join('/');
  const query = new URLSearchParams();
  if (request.verb === 'exec') {
    for (const argument of request.options.command) query.append('command', argument);
  }
  for (const [name, value] of Object.entries(request.options)) {
    if (name !== 'command' && value !== undefined && value !== false) query.set(name, String(value));
  }
  return query.size === 0 ? `/${path}` : `/${path}?${query.toString()}`;
}

/** Path of a connection from a node. */
export function dialPath({ node, address, port }: DialTarget): string {
  return `/dial/${[node, address, port].map(encodeURIComponent).join('/')}`;
}

/** The inverse of `dialPath`; undefined for any other path. */
export function parseDialPath(path: string): DialTarget | undefined {
  const [, verb, node, address, port, ...rest] = path.split('/').map(decodeURIComponent);
  if (verb !== 'dial' || !node || !address || !port || rest.length > 0) return undefined;
  return { node, address, port: Number(port) };
}

/** The inverse of `kubeletPath`; undefined for any other path. */
export function parseKubeletPath(pathAndQuery: string): KubeletRequest | undefined {
  const url = new URL(pathAndQuery, 'http://kubelet');
  const [verb, node, namespace, pod, container, ...rest] = url.pathname
    .slice(1)
    .split('/')
    .map(decodeURIComponent);
  if (!node || !namespace || !pod || !container || rest.length > 0) return undefined;
  const address = { node, namespace, pod, container };
  const flag = (name: string): boolean => url.searchParams.get(name) === 'true';
  if (verb === 'exec') {
    const command = url.searchParams.getAll('command');
    const options = {
      command,
      stdin: flag('stdin'),
      stdout: flag('stdout'),
      stderr: flag('stderr'),
      tty: flag('tty'),
    };
    return { verb, container: address, options };
  }
  if (verb !== 'logs') return undefined;
  return { verb, container: address, options: logOptions(url.searchParams) };
}

/** Log options of a query; numbers that are none are left out. */
export function logOptions(query: URLSearchParams): LogOptions {
  const number = (name: string): Record<string, number> => {
    const text = query.get(name);
    return text !== null && /^\d+$/.test(text) ? { [name]: Number(text) } : {};
  };
  const flag = (name: string): Record<string, true> => (query.get(name) === 'true' ? { [name]: true } : {});
  const sinceTime = query.get('sinceTime');
  return {
    ...flag('follow'),
    ...flag('previous'),
    ...flag('timestamps'),
    ...number('tailLines'),
    ...number('sinceSeconds'),
    ...(sinceTime === null ? {} : { sinceTime }),
    ...number('limitBytes'),
  };
}
