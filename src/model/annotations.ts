/** The annotations of pods and namespaces that decide addresses. */
export const annotations = {
  /** Name of a Subnet. */
  subnet: 'netloom.dev/subnet',
  /** Name of an IPPool. */
  pool: 'netloom.dev/ip-pool',
  /** Entries separated by `,`; an entry is one address, or an IPv4 and an IPv6 address joined by `+`. */
  addresses: 'netloom.dev/addresses',
  /** One MAC, or as many as there are entries of addresses. */
  mac: 'netloom.dev/mac-address',
  /** `Pod` or `VM:NAME`. */
  keep: 'netloom.dev/keep-addresses',
  /** `OnOwnerDeletion`, `Never`, or a duration. */
  release: 'netloom.dev/release-addresses',
} as const;
