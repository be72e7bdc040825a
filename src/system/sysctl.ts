/** Kernel settings under /proc/sys, read and written in any network namespace. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { inNamespace } from './namespace.ts';

/**
 * The file of a sysctl key. The parts are joined by `/`, since a device's name may hold a dot: `net/ipv4/conf/eth0.5/rp_filter`.
 * Throws TypeError for a part that would leave /proc/sys.
 */
export function sysctlPath(key: string): string {
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new TypeError(`not a sysctl key: ${key}`);
  }
  return `/proc/sys/${key}`;
}

/** The value without its line end, undefined when this kernel or device has no such key. */
export function readSysctl(key: string, namespace?: string): string | undefined {
  return inNamespace(namespace, () => {
    try {
      return readFileSync(sysctlPath(key), 'utf8').trimEnd();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** Writes a value. Throws ENOENT when there is no such key, EACCES or EROFS where /proc/sys may not be written. */
export function writeSysctl(key: string, value: string, namespace?: string): void {
  inNamespace(namespace, () => {
    const fd = openSync(sysctlPath(key), 'w');
    try {
      writeSync(fd, value);
    } finally {
      closeSync(fd);
    }
  });
}
