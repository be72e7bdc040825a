/**
 * `netloom doctor`: what this machine lacks, and how to mend it; and what the nodes of a cluster found the network below them to lack.
 * Changes nothing that stays, but builds the node image to probe with.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { openLab } from '#lab/client.ts';
import { cacheDirectory, imageRoot } from '#lab/image/image.ts';
import { labsDirectory, sourceRoot } from '#lab/paths.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { run as runProgram } from '#system/process.ts';
import { exitCodes, type Invocation } from './command.ts';
import { networkFindings } from './doctor-network.ts';
import { kernelFloor, kernelProbes, kernelSuffices, type Probe } from './doctor-probes.ts';

export type Finding = {
  readonly name: string;
  readonly state: 'ok' | 'missing' | 'unknown';
  /** What was found, or what was said. */
  readonly detail?: string;
  readonly mend?: string;
};

export async function run({ values, out, progress }: Invocation): Promise<number> {
  const kubeconfig =
    values.name === undefined ? process.env.KUBECONFIG : (await openLab(String(values.name))).kubeconfigPath;
  const findings = [
    ...(await machineFindings()),
    ...(await kernelFindings(progress)),
    ...(await networkFindings(kubeconfig)),
  ];
  if (values.json === true) out(JSON.stringify(findings));
  else {
    for (const line of findingLines(findings)) out(line);
  }
  return findings.some(({ state }) => state === 'missing') ? exitCodes.failed : exitCodes.ok;
}

export function findingLines(findings: readonly Finding[]): string[] {
  const missing = findings.filter(({ state }) => state === 'missing').length;
  const unknown = findings.filter(({ state }) => state === 'unknown').length;
  return [
    ...findings.map(({ name, state, detail, mend }) => {
      const more = [detail, ...(state === 'ok' || mend === undefined ? [] : [`needed: ${mend}`])].filter(
        (text) => text,
      );
      return `${state.padEnd(7)}  ${name}${more.length === 0 ? '' : `: ${more.join('; ')}`}`;
    }),
    '',
    missing > 0
      ? `${missing} missing`
      : unknown > 0
        ? `nothing found missing, ${unknown} could not be told`
        : 'this machine has all that Netloom needs',
  ];
}

async function machineFindings(): Promise<Finding[]> {
  const root = process.getuid?.() === 0;
  return [
    finding('root', root, root ? undefined : `user ${process.getuid?.()}`, 'run it with sudo'),
    finding('kernel', kernelSuffices(release()), release(), `Linux ${kernelFloor.join('.')} or later`),
    finding('architecture', ['x64', 'arm64'].includes(process.arch), process.arch, 'x64 or arm64'),
    ...(await Promise.all([
      ...['unshare', 'nsenter', 'mount', 'pivot_root', 'chroot', 'tar', 'find'].map((tool) =>
        toolFinding(tool),
      ),
      diskFinding('disk space for the node image', cacheDirectory(), 1_000),
      diskFinding('disk space for labs', labsDirectory(), 500),
      registryFinding(),
      mirrorFinding(),
      sysctlFinding('net/netfilter/nf_conntrack_max', 65_536, 'many connections at once'),
      sysctlFinding('fs/inotify/max_user_instances', 128, 'several labs side by side'),
      sysctlFinding('kernel/pid_max', 32_768, 'many pods'),
    ])),
  ];
}

function finding(name: string, ok: boolean, detail: string | undefined, mend: string): Finding {
  return { name, state: ok ? 'ok' : 'missing', ...(detail === undefined ? {} : { detail }), mend };
}

async function toolFinding(tool: string): Promise<Finding> {
  const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const found = directories.some((directory) => existsSync(`${directory}/${tool}`));
  return finding(
    `program ${tool}`,
    found,
    undefined,
    'apt-get install util-linux mount coreutils tar findutils',
  );
}

async function diskFinding(name: string, directory: string, megabytes: number): Promise<Finding> {
  let path = directory;
  while (!existsSync(path)) path = dirname(path);
  const { bavail, bsize } = await statfs(path);
  const free = Math.floor((bavail * bsize) / 1e6);
  return finding(name, free >= megabytes, `${free} MB free at ${path}`, `${megabytes} MB`);
}

async function registryFinding(): Promise<Finding> {
  const name = 'npm packages';
  if (existsSync(`${sourceRoot}/node_modules`)) return { name, state: 'ok', detail: 'installed' };
  const { code } = await runProgram(['npm', 'ping'], { timeoutMs: 15_000 });
  return finding(
    name,
    code === 0,
    undefined,
    'an npm registry that can be reached (npm config get registry)',
  );
}

async function mirrorFinding(): Promise<Finding> {
  const name = 'Debian mirror';
  const built = existsSync(`${cacheDirectory()}/image`);
  const mirror = process.env.NETLOOM_DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';
  try {
    const answer = await fetch(`${mirror}/dists/trixie/InRelease`, {
      method: 'HEAD',
      signal: AbortSignal.timeout(10_000),
    });
    if (answer.ok) return { name, state: 'ok', detail: mirror };
    return mirrorProblem(name, `${mirror} answers ${answer.status}`, built);
  } catch (error) {
    return mirrorProblem(name, `${mirror}: ${error instanceof Error ? error.message : String(error)}`, built);
  }
}

/** apt may go through a proxy that we don't; and with an image in the cache no mirror is needed. */
function mirrorProblem(name: string, detail: string, built: boolean): Finding {
  const mend = 'network, DNS, or a mirror in NETLOOM_DEBIAN_MIRROR';
  return built ? { name, state: 'unknown', detail, mend } : { name, state: 'missing', detail, mend };
}

async function sysctlFinding(key: string, least: number, why: string): Promise<Finding> {
  const text = await readFile(`/proc/sys/${key}`, 'utf8').catch(() => undefined);
  const name = `sysctl ${key.replaceAll('/', '.')}`;
  if (text === undefined) return { name, state: 'unknown', detail: 'not there yet', mend: why };
  return finding(
    name,
    Number(text) >= least,
    text.trim(),
    `${least} or more for ${why}: sysctl -w ${key.replaceAll('/', '.')}=${least}`,
  );
}

async function kernelFindings(progress: (line: string) => void): Promise<Finding[]> {
  const untold = (detail: string): Finding[] =>
    kernelProbes.map(({ name, mend }) => ({ name, state: 'unknown', detail, mend }));
  if (process.getuid?.() !== 0) return untold('not probed without root');
  let root: string;
  try {
    root = await imageRoot({ progress });
  } catch (error) {
    return [
      {
        name: 'node image',
        state: 'missing',
        detail: (error instanceof Error ? error.message : String(error)).replace(/^node image: /, ''),
      },
      ...untold('not probed without a node image'),
    ];
  }
  const box = await openSandbox({ imageRoot: root }).catch((error: Error) => error);
  if (box instanceof Error) {
    const overlay = readFileSync('/proc/filesystems', 'utf8').includes('overlay');
    const mend = overlay
      ? 'namespaces and mounts must be allowed: not in an unprivileged container'
      : 'a kernel with CONFIG_OVERLAY_FS';
    return [{ name: 'namespaces over the node image', state: 'missing', detail: box.message, mend }];
  }
  try {
    const findings: Finding[] = [];
    for (const probe of kernelProbes) findings.push(await probeKernel(box, probe));
    return findings;
  } finally {
    await box.close();
  }
}

async function probeKernel(box: Sandbox, probe: Probe): Promise<Finding> {
  const result =
    probe.kind === 'nft'
      ? await box.exec(['nft', '-f', '-'], { input: probe.ruleset, timeoutMs: 10_000 })
      : probe.kind === 'ip'
        ? await box.exec(['ip', '-batch', '-'], { input: `${probe.lines}\n`, timeoutMs: 10_000 })
        : await box.exec(['sh', '-c', probe.script], { timeoutMs: 10_000 });
  await box.exec(['sh', '-c', 'nft flush ruleset; ip link delete dr0'], { timeoutMs: 10_000 });
  if (result.code === 0) return { name: probe.name, state: 'ok', mend: probe.mend };
  return {
    name: probe.name,
    state: 'missing',
    detail: result.stderr.trim().split('\n')[0] ?? '',
    mend: probe.mend,
  };
}
