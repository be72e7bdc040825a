/** The key that an instance of the gateway and the controller share, and what TLS does with it. */
import type { SecureContextOptions } from 'node:tls';

/** File of the Secret's key in the pod. */
export const keyFile = '/etc/netloom/gateway/key';

/** Both ends: TLS 1.3 by the key alone, and with a fresh exchange of keys, so that a key that leaks later opens no recording. */
export const pskOptions: SecureContextOptions = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:PSK',
  // Without any authority no certificate is as good as the key.
  ca: [],
};

/** 32 bytes from their 64 hexadecimal digits, as the Secret has them; white space around is ignored. Throws without the text. */
export function readKey(text: string): Buffer {
  const digits = text.trim();
  if (!/^[0-9a-f]{64}$/i.test(digits)) throw new Error('the key is not 64 hexadecimal digits');
  return Buffer.from(digits, 'hex');
}
