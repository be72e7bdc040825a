/** TLS options of listeners that are ours, and those that are refused: everything else. */
import type { GatewayListenerIntent } from '#intent/gateway.ts';

export type TLSOptions = {
  readonly value: Pick<GatewayListenerIntent, 'minimumTLS' | 'ciphers'>;
  /** Sentences. */
  readonly refused: readonly string[];
};

/** What a user writes into `tls.options` of a listener. */
export const optionNames = {
  minimum: 'netloom.dev/tls-min-version',
  ciphers: 'netloom.dev/tls-ciphers',
} as const;

/**
 * Cipher suites of TLS 1.2 that may be asked for, by OpenSSL's names: forward secrecy and authenticated encryption first, then what old
 * clients need. Those of TLS 1.3 are all good and can't be chosen.
 */
const knownCiphers: readonly string[] = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-CCM',
  'ECDHE-ECDSA-AES256-CCM',
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-RSA-AES128-SHA256',
  'ECDHE-ECDSA-AES256-SHA384',
  'ECDHE-RSA-AES256-SHA384',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA256',
  'AES256-SHA256',
  'AES128-SHA',
  'AES256-SHA',
];

/** A value that isn't known leaves the option at what it is without it. `kind`: of the listener. */
export function readTLSOptions(
  options: Readonly<Record<string, string>>,
  kind: GatewayListenerIntent['kind'],
): TLSOptions {
  const refused: string[] = [];
  let minimumTLS: '1.2' | '1.3' | undefined;
  let ciphers: string | undefined;
  for (const [name, value] of Object.entries(options)) {
    if (name === optionNames.minimum) {
      if (value === '1.2' || value === '1.3') minimumTLS = value;
      else refused.push(`${name} ${JSON.stringify(value)} is not 1.2 or 1.3`);
    } else if (name === optionNames.ciphers && kind === 'terminate') {
      refused.push(`${name} is for HTTPS only`);
    } else if (name === optionNames.ciphers) {
      const unknown = value.split(':').filter((each) => !knownCiphers.includes(each));
      if (unknown.length === 0) ciphers = value;
      else refused.push(`${name}: ${unknown.map((each) => JSON.stringify(each)).join(', ')} can't be chosen`);
    } else refused.push(`${name} is no option that is known here`);
  }
  return {
    value: {
      ...(minimumTLS === undefined ? {} : { minimumTLS }),
      ...(ciphers === undefined ? {} : { ciphers }),
    },
    refused,
  };
}
