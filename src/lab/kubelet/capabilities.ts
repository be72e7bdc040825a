/** What a container's root may do: capabilities(7) by the pod's wish; pure. */
import type { SecurityContext } from '../objects/container.ts';

/** Names with their `CAP_` prefix. */
export function containerCapabilities(security: SecurityContext): {
  readonly value: readonly string[];
  readonly problems: readonly string[];
} {
  if (security.privileged === true) return { value: allCapabilities, problems: [] };
  const named = (names: readonly string[] | undefined): readonly string[] =>
    (names ?? []).map((name) => name.toUpperCase().replace(/^(?!CAP_|ALL$)/, 'CAP_'));
  const add = named(security.capabilities?.add);
  const drop = named(security.capabilities?.drop);
  const problems = [...add, ...drop]
    .filter((name) => name !== 'ALL' && !allCapabilities.includes(name))
    .map((name) => `securityContext.capabilities: there is no capability ${JSON.stringify(name)}`);
  const base = add.includes('ALL') ? allCapabilities : drop.includes('ALL') ? [] : defaultCapabilities;
  const wanted = new Set([...base.filter((name) => !drop.includes(name)), ...add]);
  return { value: allCapabilities.filter((name) => wanted.has(name)), problems };
}

/** capabilities(7), in the order of their numbers. */
export const allCapabilities: readonly string[] = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE',
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN',
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE',
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));

/** Names of the capabilities in a mask as /proc/PID/status prints it (hexadecimal). */
export function capabilityNames(mask: string): ReadonlySet<string> {
  const bits = BigInt(`0x${mask}`);
  return new Set(allCapabilities.filter((_, index) => ((bits >> BigInt(index)) & 1n) === 1n));
}

/** What container runtimes give to an ordinary container. */
const defaultCapabilities: readonly string[] = [
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE',
].flatMap((line) => line.split(' ').map((name) => `CAP_${name}`));
