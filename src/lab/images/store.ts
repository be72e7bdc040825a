/** Finding an image's root file system and configuration on this machine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { KubeletConfig } from '../config.ts';
import type { BindMount } from '../kubelet/mounts.ts';
import type { ImageConfig } from '../kubelet/oci.ts';
import { inNode } from '../paths.ts';
import { type LoadedImage, resolveImage } from './catalogue.ts';

export type RunnableImage = {
  /** Root file system as nodes see it, a lower layer. */
  readonly lower: string;
  readonly config: ImageConfig;
  /** What of the node every container of the image sees. */
  readonly binds: readonly BindMount[];
};

export type ImageDirectories = Pick<KubeletConfig, 'imageRoot' | 'imageInNode' | 'imagesDirectory'>;

/** Name of the file that holds a loaded image's configuration, beside its root. */
export const imageConfigFile = 'image.json';

/** The problem is worded for the status of the container that wants the image. */
export function findImage(
  name: string,
  directories: ImageDirectories,
): { readonly value: RunnableImage } | { readonly problem: string } {
  const resolved = resolveImage(
    name,
    loadedImages(directories.imagesDirectory.host).map(({ image }) => image),
  );
  if ('problem' in resolved) return resolved;
  if (resolved.value.kind === 'built-in') {
    const { entrypoint, command, env, workingDir } = resolved.value.image;
    const config = { entrypoint, command, env, workingDir, uid: 0, gid: 0 };
    return { value: { lower: directories.imageInNode, config, binds: builtInBinds } };
  }
  const wanted = resolved.value.image;
  const found = loadedImages(directories.imagesDirectory.host).find(
    ({ image }) => image.name === wanted.name,
  );
  if (found === undefined) return { problem: `image ${JSON.stringify(name)} was removed` };
  const host = `${directories.imagesDirectory.host}/${found.directory}/${found.image.root}`;
  const user = imageUser(wanted.user, host);
  if (user === undefined) {
    return {
      problem: `image ${JSON.stringify(name)}: its user ${JSON.stringify(wanted.user)} is not in its /etc/passwd`,
    };
  }
  const { entrypoint, command, env, workingDir } = wanted;
  return {
    value: {
      lower: `${directories.imagesDirectory.inside}/${found.directory}/${found.image.root}`,
      config: { entrypoint, command, env, workingDir, ...user },
      binds: [],
    },
  };
}

/** Sources and runtime stand in every node at the same place. */
const builtInBinds: readonly BindMount[] = [inNode.source, inNode.runtime, inNode.compileCache].map(
  (path) => ({
    source: path,
    target: path,
    readOnly: path !== inNode.compileCache,
  }),
);

/** All images brought by `lab load`, with their directories. A broken one is left out. */
export function loadedImages(
  directory: string,
): readonly { readonly directory: string; readonly image: LoadedImage }[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => {
    try {
      const image = JSON.parse(
        readFileSync(`${directory}/${name}/${imageConfigFile}`, 'utf8'),
      ) as LoadedImage;
      return [{ directory: name, image }];
    } catch {
      return [];
    }
  });
}

/** Numbers of a user as an image's configuration writes it: name or number, with or without a group. */
export function imageUser(
  text: string,
  root: string,
): { readonly uid: number; readonly gid: number } | undefined {
  if (text === '') return { uid: 0, gid: 0 };
  const [user = '', group] = text.split(':');
  const entry = account(`${root}/etc/passwd`, user);
  const uid = /^\d+$/.test(user) ? Number(user) : entry?.id;
  const gid =
    group === undefined
      ? (entry?.group ?? 0)
      : /^\d+$/.test(group)
        ? Number(group)
        : account(`${root}/etc/group`, group)?.id;
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

function account(file: string, name: string): { readonly id: number; readonly group: number } | undefined {
  if (!existsSync(file)) return undefined;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [login, , id, group] = line.split(':');
    if (login === name || id === name) return { id: Number(id), group: Number(group ?? 0) };
  }
  return undefined;
}
