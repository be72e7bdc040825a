/** Reads what an image archive says of itself (OCI image layout, or `docker save`), as far as the lab needs it; pure. */

export type ImageSettings = {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** As the image writes it: `uid`, `uid:gid` or names; empty for root. */
  readonly user: string;
};

/** What a root file system without a configuration is run with. */
export const plainSettings: ImageSettings = {
  entrypoint: [],
  command: ['/bin/sh'],
  env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  workingDir: '/',
  user: '',
};

type Descriptor = {
  readonly mediaType?: string;
  readonly digest: string;
  readonly platform?: { readonly architecture?: string; readonly os?: string };
};

/** Parsed JSON of a file of the archive by path. Throws when there is no such file. */
export type ReadJson = (path: string) => Promise<unknown>;

export type ArchiveLayers = {
  /** Files of the archive, the lowest layer first; `digest` where the archive says one. */
  readonly layers: readonly { readonly path: string; readonly digest?: string }[];
  readonly settings: ImageSettings;
};

/** `architecture` in Go's words (amd64, arm64). Throws an error for the user when the archive is none or has no such image. */
export async function readArchive(
  files: ReadonlySet<string>,
  readJson: ReadJson,
  architecture: string,
): Promise<ArchiveLayers> {
  if (files.has('index.json')) return readLayout(readJson, architecture);
  if (files.has('manifest.json')) return readDockerSave(readJson);
  throw new Error('neither an OCI archive (no index.json) nor one of docker save (no manifest.json)');
}

async function readLayout(readJson: ReadJson, architecture: string): Promise<ArchiveLayers> {
  let index = (await readJson('index.json')) as { readonly manifests: readonly Descriptor[] };
  for (;;) {
    const chosen = choose(index.manifests, architecture);
    const document = (await readJson(blobPath(chosen.digest))) as {
      readonly manifests?: readonly Descriptor[];
      readonly config?: Descriptor;
      readonly layers?: readonly Descriptor[];
    };
    if (document.manifests !== undefined) {
      index = { manifests: document.manifests };
      continue;
    }
    if (document.config === undefined || document.layers === undefined)
      throw new Error('its manifest has no config or layers');
    return {
      layers: document.layers.map(({ digest }) => ({ path: blobPath(digest), digest })),
      settings: readSettings(await readJson(blobPath(document.config.digest))),
    };
  }
}

function choose(manifests: readonly Descriptor[], architecture: string): Descriptor {
  const images = manifests.filter(({ platform }) => platform?.architecture !== 'unknown');
  const found =
    images.find(({ platform }) => platform?.architecture === architecture) ??
    images.find(({ platform }) => platform === undefined);
  if (found !== undefined) return found;
  const has = images.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).join(', ');
  throw new Error(`it has no image for linux/${architecture} (it has ${has === '' ? 'none' : has})`);
}

async function readDockerSave(readJson: ReadJson): Promise<ArchiveLayers> {
  const [image] = (await readJson('manifest.json')) as readonly {
    readonly Config: string;
    readonly Layers: readonly string[];
  }[];
  if (image === undefined) throw new Error('its manifest.json lists no image');
  return {
    layers: image.Layers.map((path) => ({ path })),
    settings: readSettings(await readJson(image.Config)),
  };
}

/** Digests come from the archive: only what can be a file name in `blobs/` becomes a path. */
function blobPath(digest: string): string {
  const match = /^(sha256|sha512):([0-9a-f]+)$/.exec(digest);
  if (match === null) throw new Error(`${JSON.stringify(digest)} is no digest`);
  return `blobs/${match[1]}/${match[2]}`;
}

/** OCI image configuration (image-spec, config.md). */
function readSettings(document: unknown): ImageSettings {
  const { config = {} } = document as {
    readonly config?: {
      readonly Entrypoint?: readonly string[] | null;
      readonly Cmd?: readonly string[] | null;
      readonly Env?: readonly string[] | null;
      readonly WorkingDir?: string;
      readonly User?: string;
    };
  };
  const env = (config.Env ?? []).map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
  });
  return {
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    env: { ...plainSettings.env, ...Object.fromEntries(env) },
    workingDir: config.WorkingDir === undefined || config.WorkingDir === '' ? '/' : config.WorkingDir,
    user: config.User ?? '',
  };
}

export type Whiteout = { readonly remove: readonly string[]; readonly clear: readonly string[] };

/** What a layer takes away from those below it (image-spec, layer.md): files, and whole contents of directories. */
export function whiteouts(entries: readonly string[]): Whiteout {
  const remove: string[] = [];
  const clear: string[] = [];
  for (const entry of entries) {
    const path = entry.replace(/^(\.?\/)+/, '').replace(/\/$/, '');
    const at = path.lastIndexOf('/') + 1;
    const base = path.slice(at);
    if (base === '.wh..wh..opq') clear.push(path.slice(0, at));
    else if (base.startsWith('.wh.') && base.length > 4) remove.push(path.slice(0, at) + base.slice(4));
  }
  return { remove, clear };
}
