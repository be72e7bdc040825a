/** Which images the lab has, and what a pod's image name means; pure. */
import type { ImageSettings } from '../archive.ts';
import { inNode } from '../paths.ts';

/** What a container of the image starts with. */
export type CatalogueImage = {
  /** The name without registry and tag. */
  readonly name: string;
  readonly summary: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
};

const path = `${inNode.runtime}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
const env = { PATH: path, NODE_COMPILE_CACHE: inNode.compileCache } as const;
const node = [`${inNode.runtime}/node`, '--disable-warning=ExperimentalWarning'] as const;
const program = (source: string): readonly string[] => [...node, `${inNode.source}/${source}`];

/** All use the node image's root file system, with sources and runtime bound in. */
export const catalogue: readonly CatalogueImage[] = [
  {
    name: 'netloom/echo',
    summary: 'answers HTTP, WebSocket, gRPC, TCP and UDP with what it got and who it is',
    entrypoint: program('src/lab/images/echo/main.ts'),
    command: [],
    env,
    workingDir: '/',
  },
  {
    name: 'netloom/client',
    summary: 'a shell with curl, ping, dig, nc, traceroute and iperf3; waits until it is told to end',
    // A first process without a handler ignores SIGTERM; tini passes it on.
    entrypoint: ['/usr/bin/tini', '-g', '--'],
    command: ['sleep', 'infinity'],
    env,
    workingDir: '/',
  },
  {
    name: 'netloom/iperf3',
    summary: 'an iperf3 server on port 5201; its arguments are those of iperf3',
    entrypoint: ['/usr/bin/iperf3'],
    command: ['--server'],
    env,
    workingDir: '/',
  },
  {
    name: 'netloom/node',
    summary: "Netloom's own programs: the first argument is a source file, found from /opt/netloom",
    entrypoint: [...node],
    command: [],
    env,
    workingDir: inNode.source,
  },
  {
    name: 'netloom/dns',
    summary: 'the cluster DNS: unbound, fed from Services and EndpointSlices',
    entrypoint: program('src/lab/dns/main.ts'),
    command: [],
    env,
    workingDir: '/',
  },
];

/** A loaded image's configuration; `name` is the one that it was loaded under. */
export type LoadedImage = ImageSettings & {
  readonly name: string;
  /** Name of the directory of its root file system, beside its configuration. */
  readonly root: string;
};

export type ResolvedImage =
  | { readonly kind: 'built-in'; readonly image: CatalogueImage }
  | { readonly kind: 'loaded'; readonly image: LoadedImage };

/** Loaded images win over built-in ones of the same name. The problem is worded for the container's status. */
export function resolveImage(
  name: string,
  loaded: readonly LoadedImage[],
): { readonly value: ResolvedImage } | { readonly problem: string } {
  const wanted = parseImageName(name);
  const same = loaded.filter((image) => parseImageName(image.name).repository === wanted.repository);
  const exact = same.find((image) => parseImageName(image.name).tag === wanted.tag);
  if (exact !== undefined) return { value: { kind: 'loaded', image: exact } };
  const builtIn = catalogue.find(
    (image) =>
      `docker.io/${image.name}` === wanted.repository || wanted.repository.endsWith(`/${image.name}`),
  );
  if (builtIn !== undefined) return { value: { kind: 'built-in', image: builtIn } };
  const names = [...catalogue.map((image) => image.name), ...loaded.map((image) => image.name)].sort();
  return {
    problem: `the lab pulls from no registry and has no image ${JSON.stringify(name)}; it has ${names.join(', ')}; more come by: netloom lab load IMAGE DIR|TAR`,
  };
}

export type ImageName = { readonly repository: string; readonly tag: string };

/** `nginx` is `docker.io/library/nginx` with tag `latest`; a digest is left out, since nothing is pulled. */
export function parseImageName(name: string): ImageName {
  const plain = name.replace(/@.*$/, '');
  const match = /^(.*?)(?::([^:/]+))?$/.exec(plain);
  const path = match?.[1] ?? plain;
  const first = path.split('/')[0] as string;
  const hasRegistry = path.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const repository = hasRegistry
    ? path
    : path.includes('/')
      ? `docker.io/${path}`
      : `docker.io/library/${path}`;
  return { repository, tag: match?.[2] ?? 'latest' };
}
