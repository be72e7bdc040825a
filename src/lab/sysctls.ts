/** Writes into a network namespace the settings that the topology asks for. */
import { writeSysctl } from '#system/sysctl.ts';
import type { Sysctl } from './topology.ts';

/** A kernel without br_netfilter or IPv6 has not the keys that would turn them off. Throws what else is refused. */
export function setIfThere([key, value, otherwise]: Sysctl, namespace: string): void {
  try {
    writeSysctl(key, value, namespace);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && otherwise === undefined) return;
    if (otherwise === undefined) throw new Error(`${key} = ${value}: ${message}`);
    setIfThere([key, otherwise], namespace);
  }
}
