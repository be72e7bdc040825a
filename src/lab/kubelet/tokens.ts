/** Service account tokens of pods: asked for once, renewed at four fifths of their life. */
import type { Client } from '#kube/client.ts';
import type { Pod } from '../objects/pod.ts';
import { type TokenRequest, tokenRequests } from './volumes.ts';

export type PodTokens = {
  /** By volume and path. */
  get(volume: string, path: string): string | undefined;
  /** Asks for what is missing or old. Throws ApiError when the server refuses and there is no token to go on with. */
  refresh(pod: Pod): Promise<void>;
  /** Milliseconds until the next renewal is due; undefined when the pod has no tokens. */
  due(): number | undefined;
};

type Held = { readonly token: string; readonly renewAt: number; readonly expiresAt: number };

export function createPodTokens(client: Client): PodTokens {
  const held = new Map<string, Held>();
  const key = (volume: string, path: string): string => `${volume}/${path}`;
  return {
    get: (volume, path) => held.get(key(volume, path))?.token,
    async refresh(pod) {
      for (const request of tokenRequests(pod)) {
        const at = key(request.volume, request.path);
        const old = held.get(at);
        if (old !== undefined && Date.now() < old.renewAt) continue;
        try {
          held.set(at, await requestToken(client, pod, request));
        } catch (error) {
          if (old === undefined || Date.now() > old.expiresAt) throw error;
          held.set(at, { ...old, renewAt: Date.now() + 60_000 });
        }
      }
    },
    due() {
      const times = [...held.values()].map(({ renewAt }) => renewAt - Date.now());
      return times.length === 0 ? undefined : Math.max(0, Math.min(...times));
    },
  };
}

async function requestToken(client: Client, pod: Pod, request: TokenRequest): Promise<Held> {
  const { name, namespace = '', uid } = pod.metadata;
  const account = pod.spec.serviceAccountName || 'default';
  const answer = await client.request<{
    readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
  }>({
    method: 'POST',
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(account)}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: request.audience === undefined ? [] : [request.audience],
        expirationSeconds: request.expirationSeconds,
        boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
      },
    },
    repeatable: true,
  });
  const { token, expirationTimestamp } = answer.status ?? {};
  if (token === undefined) throw new Error(`service account ${account}: the server gave no token`);
  const now = Date.now();
  const expiresAt = expirationTimestamp === undefined ? now + 3_600_000 : Date.parse(expirationTimestamp);
  return { token, renewAt: now + (expiresAt - now) * 0.8, expiresAt };
}
