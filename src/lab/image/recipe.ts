/** What the node image is made of, as pure functions: package list, hashes, arguments of mmdebstrap, meaning of its failures. */
import { createHash } from 'node:crypto';

/** Debian release of every lab node and container image. */
export const debianRelease = 'trixie';

/** Increase when what image.ts does after mmdebstrap changes: the hash is over this text, too. */
const recipeVersion = '3';

/** Debian's name of a Node `process.arch`; undefined: no image can be built for it. */
export function debianArchitecture(arch: string): string | undefined {
  return { x64: 'amd64', arm64: 'arm64' }[arch];
}

/** Package names of a list file: one a line, `#` starts a comment; sorted, each once. Throws on what is no package name. */
export function parsePackages(text: string): readonly string[] {
  const names = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  for (const name of names) {
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name))
      throw new Error(`package list: ${JSON.stringify(name)} is not a package name`);
  }
  return [...new Set(names)].sort();
}

export type ImageInputs = {
  readonly packages: readonly string[];
  /** Debian architecture. */
  readonly architecture: string;
  readonly mirror?: string | undefined;
  /** Source of the CNI executable; undefined while there is none. */
  readonly shim?: string | undefined;
};

/** `base` names what mmdebstrap makes, `image` the whole with the CNI executable; 16 hex digits each. */
export function imageHashes(inputs: ImageInputs): { readonly base: string; readonly image: string } {
  const base = digest(JSON.stringify([recipeVersion, debianRelease, inputs.architecture, inputs.packages]));
  return { base, image: digest(JSON.stringify([base, inputs.shim ?? ''])) };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * Arguments of mmdebstrap (man mmdebstrap) that build the base into `target`.
 * Documentation and locales are left out: nobody reads them in a node, and they are half of the files.
 */
export function mmdebstrapArguments(
  inputs: ImageInputs,
  target: string,
  aptOptions: readonly string[] = [],
): string[] {
  return [
    '--mode=root',
    '--variant=apt',
    '--format=directory',
    `--architectures=${inputs.architecture}`,
    `--include=${inputs.packages.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Retries "3"',
    ...aptOptions.map((option) => `--aptopt=${option}`),
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    debianRelease,
    target,
    ...(inputs.mirror === undefined ? [] : [inputs.mirror]),
  ];
}

/** One sentence for a user from what mmdebstrap or apt wrote: what is wrong and how to mend it. */
export function explainFailure(output: string): string {
  const known: readonly (readonly [RegExp, string])[] = [
    [
      /No space left on device|not enough free (disk )?space/i,
      'the disk is full: free at least 1 GB under /var/cache/netloom',
    ],
    [
      /Temporary failure resolving|Could not resolve|Unable to connect|Could not connect|Connection (timed out|refused|failed)|Network is unreachable|Cannot initiate the connection/i,
      'the Debian mirror can not be reached: check network, DNS and proxy (http_proxy), or name a mirror in NETLOOM_DEBIAN_MIRROR',
    ],
    [
      // Also said of the same: that what did not come is not signed.
      /\bErr\b[^\n]*\n\s+[45]\d\d\s|Failed to fetch .*\s[45]\d\d\s/,
      'the Debian mirror answers with an error: check the URL in NETLOOM_DEBIAN_MIRROR and the proxy (http_proxy)',
    ],
    [
      /NO_PUBKEY|couldn't be verified|not signed|EXPKEYSIG|Not live until|is not valid yet|keyring/i,
      'the signature of the Debian mirror can not be verified: install the package debian-archive-keyring and check the clock',
    ],
    [
      /Unable to locate package (\S+)|has no installation candidate/i,
      'a package of the list is not in the Debian mirror',
    ],
    [
      /Operation not permitted|Permission denied/i,
      'the machine forbids what is needed (chroot, mknod, mount): run as root outside an unprivileged container',
    ],
  ];
  const lines = output.trim().split('\n');
  const cause =
    lines.find((line) => line.trim().startsWith('E:')) ??
    lines.find((line) => /^(Err|Error)\b/.test(line.trim())) ??
    lines.at(-1) ??
    '';
  const meaning = known.find(([pattern]) => pattern.test(output))?.[1];
  return meaning === undefined ? cause : `${meaning} (${cause.trim()})`;
}
