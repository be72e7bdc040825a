/** Whether kube-proxy's rules are in a network namespace, whichever of its modes wrote them. */
import { closeSync, readFileSync } from 'node:fs';
import { errnos, getSocketOption, linux, receive, SystemError, send } from '#system/libc.ts';
import { inNamespace, netlinkSocketIn, socketIn } from '#system/namespace.ts';
import { flag, readAck, readMessages, text, writeRequest } from '#system/netlink-codec.ts';

/** linux/netfilter/nfnetlink.h, nf_tables.h. */
const nfnetlink = { subsystem: 10 << 8, getTable: 1, getChain: 4 } as const;
const attribute = { tableName: 1, chainTable: 1, chainName: 3 } as const;
const families = { ip: 2, ip6: 10 } as const;
type Family = keyof typeof families;

/** Its table in nftables mode, and the chain that it has in the nat table in iptables and IPVS mode. */
const table = 'kube-proxy';
const chain = 'KUBE-SERVICES';

/** linux/netfilter_ipv4/ip_tables.h: two socket options, with structs that begin with the table's name in 32 bytes. */
const legacy = {
  ip: { domain: linux.AF_INET, level: 0, tables: 'ip_tables_names' },
  ip6: { domain: linux.AF_INET6, level: 41, tables: 'ip6_tables_names' },
  IPPROTO_RAW: 255,
  GET_INFO: 64,
  GET_ENTRIES: 65,
  infoBytes: 84,
  sizeAt: 80,
  entriesAt: 40,
} as const;

export type KubeProxyFinder = {
  /**
   * Names what was found, for a person; empty when there is nothing. Some twenty microseconds, but for `withLegacy`, which also
   * reads the whole of a legacy iptables nat table where there is one.
   */
  find(options?: { readonly withLegacy?: boolean }): readonly string[];
  close(): void;
};

/**
 * `namespace`: default the own one. Its socket stays open between looks: closing one of this protocol waits until the kernel has
 * freed all that transactions removed (10 to 30 ms under load, nft_rcv_nl_event).
 */
export function openKubeProxyFinder(namespace?: string): KubeProxyFinder {
  const fd = netlinkSocketIn(namespace, linux.NETLINK_NETFILTER);
  return {
    find({ withLegacy = true } = {}) {
      const found: string[] = [];
      for (const family of Object.keys(families) as Family[]) {
        if (nftHas(fd, family, nfnetlink.getTable, [text(attribute.tableName, table)]))
          found.push(`nft table ${family} ${table}`);
        const names = [text(attribute.chainTable, 'nat'), text(attribute.chainName, chain)];
        const inNft = nftHas(fd, family, nfnetlink.getChain, names);
        if (inNft || (withLegacy && legacyHas(namespace, family, chain)))
          found.push(`${family === 'ip' ? 'iptables' : 'ip6tables'} chain ${chain}`);
      }
      return found;
    },
    close: () => closeSync(fd),
  };
}

function nftHas(fd: number, family: Family, type: number, attributes: readonly Buffer[]): boolean {
  const payload = Buffer.concat([Buffer.from([families[family], 0, 0, 0]), ...attributes]);
  const request = Buffer.alloc(16 + payload.length);
  writeRequest(request, 0, { type: nfnetlink.subsystem | type, flags: flag.REQUEST | flag.ACK, payload }, 1);
  send(fd, request);
  const buffer = Buffer.alloc(8192);
  let found = false;
  // The kernel has answered before send() returns: with the object and an acknowledgement, or with an error. All of it is taken, so
  // that the next question doesn't read the rest of this one's answer.
  for (let length = receive(fd, buffer); length !== undefined; length = receive(fd, buffer)) {
    for (const message of readMessages(buffer.subarray(0, length))) {
      if (message.type !== 2) {
        found = true;
        continue;
      }
      const { errno } = readAck(message);
      if (errno !== 0 && errno !== errnos.ENOENT) throw new SystemError('nf_tables', errno);
    }
  }
  return found;
}

/** A user's chain stands in the table's entries by its name. A table that nobody uses is not asked for: that would make it. */
export function legacyHas(namespace: string | undefined, family: Family, name: string): boolean {
  const { domain, level, tables } = legacy[family];
  return inNamespace(namespace, () => {
    if (!readTables(tables).includes('nat')) return false;
    const fd = socketIn(undefined, domain, linux.SOCK_RAW, legacy.IPPROTO_RAW);
    try {
      const info = Buffer.alloc(legacy.infoBytes);
      info.write('nat');
      getSocketOption(fd, level, legacy.GET_INFO, info);
      const size = info.readUInt32LE(legacy.sizeAt);
      const entries = Buffer.alloc(legacy.entriesAt + size);
      entries.write('nat');
      entries.writeUInt32LE(size, 32);
      getSocketOption(fd, level, legacy.GET_ENTRIES, entries);
      return entries.includes(`${name}\0`);
    } catch (error) {
      // EAGAIN: it changed between the two; the next look tells.
      if (error instanceof SystemError && error.code === 'EAGAIN') return false;
      throw error;
    } finally {
      closeSync(fd);
    }
  });
}

function readTables(file: string): readonly string[] {
  try {
    return readFileSync(`/proc/thread-self/net/${file}`, 'utf8').split('\n');
  } catch {
    // A kernel without legacy iptables.
    return [];
  }
}
