/** Where the API server is and who we are: from a kubeconfig file, or from inside a pod. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { ClientConfig } from './calls.ts';

export type KubeconfigOptions = {
  /** Default: $KUBECONFIG, else ~/.kube/config. Several files, joined by colons, are merged; the first to say a thing wins. */
  readonly path?: string | undefined;
  /** Default: the file's current-context. */
  readonly context?: string | undefined;
};

type Environment = {
  readonly [name: string]: string | undefined;
  readonly KUBECONFIG?: string | undefined;
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
};

/**
 * The configuration to use: an explicit path, else $KUBECONFIG, else the pod's service account, else ~/.kube/config.
 * Throws with the file and the field when something is missing.
 */
export async function loadConfig(
  options: KubeconfigOptions = {},
  environment: Environment = process.env,
): Promise<ClientConfig> {
  const named = options.path !== undefined || (environment.KUBECONFIG ?? '') !== '';
  if (!named && (environment.KUBERNETES_SERVICE_HOST ?? '') !== '') return inClusterConfig({}, environment);
  return loadKubeconfig(options, environment);
}

/** Reads kubeconfig files. Certificates, keys and tokens in files are found relative to the file that names them. */
export async function loadKubeconfig(
  options: KubeconfigOptions = {},
  environment: Environment = process.env,
): Promise<ClientConfig> {
  const list = options.path ?? (environment.KUBECONFIG || join(homedir(), '.kube', 'config'));
  const paths = list.split(':').filter((path) => path !== '');
  // Loaded here only: agents in pods never need YAML.
  const { parse } = await import('yaml');
  const files = paths.flatMap((path): readonly File[] => {
    const text = readIfThere(path);
    if (text === undefined) return [];
    const content: unknown = parse(text);
    if (typeof content !== 'object' || content === null) throw new Error(`${path}: not a kubeconfig`);
    return [{ path, content: content as Content }];
  });
  if (files.length === 0) throw new Error(`no kubeconfig at ${paths.join(', ')}`);
  return configOf(files, options.context);
}

/** The service account of the pod we run in; its token is read again whenever the kubelet rotated it. */
export function inClusterConfig(
  { directory = '/var/run/secrets/kubernetes.io/serviceaccount' }: { readonly directory?: string } = {},
  environment: Environment = process.env,
): ClientConfig {
  const host = environment.KUBERNETES_SERVICE_HOST;
  const port = environment.KUBERNETES_SERVICE_PORT ?? '443';
  if (host === undefined || host === '') throw new Error('not in a pod: KUBERNETES_SERVICE_HOST is not set');
  const token = tokenFile(join(directory, 'token'));
  token();
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readFileSync(join(directory, 'ca.crt'), 'utf8'),
    token,
    namespace: readIfThere(join(directory, 'namespace'))?.trim(),
  };
}

/** Reads a token when its file's identity or time changed; while a new one can't be read the last one stays in use. */
export function tokenFile(path: string): () => string {
  let stamp = '';
  let token: string | undefined;
  return () => {
    try {
      const { ino, mtimeMs, size } = statSync(path);
      const seen = `${ino} ${mtimeMs} ${size}`;
      if (seen !== stamp) {
        const text = readFileSync(path, 'utf8').trim();
        if (text === '') throw new Error(`${path}: empty token`);
        token = text;
        stamp = seen;
      }
    } catch (error) {
      if (token === undefined) throw error;
    }
    return token as string;
  };
}

type File = { readonly path: string; readonly content: Content };
type Named<K extends string, V> = readonly ({ readonly name?: string } & { readonly [P in K]?: V })[];
type Content = {
  readonly 'current-context'?: string;
  readonly contexts?: Named<'context', { cluster?: string; user?: string; namespace?: string }> | null;
  readonly clusters?: Named<'cluster', Cluster> | null;
  readonly users?: Named<'user', User> | null;
};
type Cluster = {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'tls-server-name'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
};
type User = {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly exec?: unknown;
  readonly 'auth-provider'?: unknown;
  readonly username?: string;
};

function configOf(files: readonly File[], wanted: string | undefined): ClientConfig {
  const where = files.map((file) => file.path).join(', ');
  const current = files.find((file) => file.content['current-context'])?.content['current-context'];
  const name = wanted ?? current;
  if (name === undefined || name === '') throw new Error(`${where}: no current-context`);
  const context = find(files, 'contexts', name)?.entry.context;
  if (context === undefined) throw new Error(`${where}: no context ${JSON.stringify(name)}`);
  const cluster = find(files, 'clusters', context.cluster);
  if (cluster?.entry.cluster?.server === undefined) {
    throw new Error(`${where}: context ${name}: no cluster ${JSON.stringify(context.cluster)} with a server`);
  }
  const user = find(files, 'users', context.user);
  if (context.user !== undefined && user === undefined) {
    throw new Error(`${where}: context ${name}: no user ${JSON.stringify(context.user)}`);
  }
  return {
    ...clusterPart(cluster.entry.cluster, cluster.file),
    ...userPart(user?.entry.user ?? {}, user?.file ?? cluster.file, context.user ?? ''),
    namespace: context.namespace,
  };
}

function clusterPart(cluster: Cluster, file: string): ClientConfig {
  return {
    server: cluster.server as string,
    ca: material(cluster['certificate-authority-data'], cluster['certificate-authority'], file),
    serverName: cluster['tls-server-name'],
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'],
  };
}

function userPart(user: User, file: string, name: string): Partial<ClientConfig> {
  for (const field of ['exec', 'auth-provider', 'username'] as const) {
    if (user[field] !== undefined) {
      throw new Error(`${file}: user ${name}: ${field} is not supported; use a certificate or a token`);
    }
  }
  return {
    cert: material(user['client-certificate-data'], user['client-certificate'], file),
    key: material(user['client-key-data'], user['client-key'], file),
    // As kubectl has it: a token file goes before a token.
    token: user.tokenFile === undefined ? user.token : tokenFile(resolve(dirname(file), user.tokenFile)),
  };
}

function material(data: string | undefined, path: string | undefined, file: string): string | undefined {
  if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  return path === undefined || path === '' ? undefined : readFileSync(resolve(dirname(file), path), 'utf8');
}

function find<K extends 'contexts' | 'clusters' | 'users'>(
  files: readonly File[],
  section: K,
  name: string | undefined,
): { readonly entry: NonNullable<Content[K]>[number]; readonly file: string } | undefined {
  for (const { path, content } of files) {
    const entry = content[section]?.find((candidate) => candidate.name === name);
    if (entry !== undefined) return { entry, file: path };
  }
  return undefined;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
