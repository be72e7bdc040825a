/** Writes kubeconfig files (v1 Config), as JSON, which is YAML too. */
import type { KeyPair } from './certificate.ts';

export type KubeconfigInput = {
  /** For example `https://127.0.0.1:6443`. */
  readonly server: string;
  readonly authorityCertificate: string;
  readonly user: string;
  readonly credentials: KeyPair | { readonly token: string };
  /** Name of cluster and context. */
  readonly cluster?: string;
  readonly namespace?: string;
};

/** Text of a kubeconfig with one cluster, one user and one current context. */
export function kubeconfig(input: KubeconfigInput): string {
  const { cluster = 'netloom', user, credentials } = input;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: cluster,
        cluster: {
          server: input.server,
          'certificate-authority-data': base64(input.authorityCertificate),
        },
      },
    ],
    users: [
      {
        name: user,
        user:
          'token' in credentials
            ? { token: credentials.token }
            : {
                'client-certificate-data': base64(credentials.certificate),
                'client-key-data': base64(credentials.key),
              },
      },
    ],
    contexts: [
      {
        name: cluster,
        context: {
          cluster,
          user,
          ...(input.namespace === undefined ? {} : { namespace: input.namespace }),
        },
      },
    ],
    'current-context': cluster,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
