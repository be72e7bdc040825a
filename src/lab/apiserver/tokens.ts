/** Service account tokens: JSON Web Tokens signed by the cluster (RFC 7519, ES256), bound to objects and expiring. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from 'node:crypto';

export const defaultAudience = 'https://kubernetes.default.svc.cluster.local';
export const issuer = defaultAudience;

export type BoundObject = { readonly kind: string; readonly name: string; readonly uid: string };

/** What a token says, after its signature and times were checked. */
export type TokenClaims = {
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly bound?: BoundObject;
  readonly audiences: readonly string[];
  readonly id: string;
};

type Payload = {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly exp: number;
  readonly nbf: number;
  readonly iat: number;
  readonly jti: string;
  readonly sub: string;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly serviceaccount: { readonly name: string; readonly uid: string };
    readonly [bound: string]: unknown;
  };
};

const cacheSize = 1024;

/** Signs and checks tokens with one key. Whether the named objects still live is the caller's question. */
export class TokenAuthority {
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  /** Tokens with a good signature; a client sends the same one with every request. */
  readonly #checked = new Map<string, Payload>();

  constructor(privateKeyPem: string) {
    this.#key = createPrivateKey(privateKeyPem);
    this.#publicKey = createPublicKey(this.#key);
    const der = this.#publicKey.export({ type: 'spki', format: 'der' });
    this.#keyId = createHash('sha256').update(der).digest('base64url');
  }

  /** A token for `seconds` from now. */
  issue(
    claims: Omit<TokenClaims, 'id'>,
    seconds: number,
    now: number,
  ): { readonly token: string; readonly expires: Date } {
    const issued = Math.floor(now / 1000);
    const { namespace, serviceAccount, bound, audiences } = claims;
    const payload: Payload = {
      iss: issuer,
      aud: audiences,
      exp: issued + seconds,
      nbf: issued,
      iat: issued,
      jti: randomUUID(),
      sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
      'kubernetes.io': {
        namespace,
        serviceaccount: serviceAccount,
        ...(bound === undefined ? {} : { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } }),
      },
    };
    const head = { alg: 'ES256', kid: this.#keyId, typ: 'JWT' };
    const text = `${encode(head)}.${encode(payload)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return { token: `${text}.${signature.toString('base64url')}`, expires: new Date(payload.exp * 1000) };
  }

  /** The claims of a token whose signature, issuer and times are good; otherwise the reason as text. */
  check(token: string, now: number): TokenClaims | string {
    const payload = this.#checked.get(token) ?? this.#verify(token);
    if (typeof payload === 'string') return payload;
    const seconds = now / 1000;
    if (payload.exp <= seconds) {
      this.#checked.delete(token);
      return 'service account token has expired';
    }
    if (payload.nbf > seconds + 5) return 'service account token is not valid yet';
    const { namespace, serviceaccount } = payload['kubernetes.io'];
    const bound = boundObject(payload);
    return {
      namespace,
      serviceAccount: serviceaccount,
      audiences: payload.aud,
      id: payload.jti,
      ...(bound === undefined ? {} : { bound }),
    };
  }

  /** RFC 7517 key set, for those who check tokens themselves. */
  keySet(): object {
    const key = this.#publicKey.export({ format: 'jwk' });
    return { keys: [{ ...key, use: 'sig', alg: 'ES256', kid: this.#keyId }] };
  }

  #verify(token: string): Payload | string {
    const [head, body, signature, ...rest] = token.split('.');
    if (!head || !body || !signature || rest.length > 0) return 'token is no JSON Web Token';
    const header = decode(head) as { readonly alg?: string } | undefined;
    if (header?.alg !== 'ES256') return 'token is not signed with ES256';
    const good = verify(
      'sha256',
      Buffer.from(`${head}.${body}`),
      { key: this.#publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!good) return 'token signature is invalid';
    const payload = decode(body) as Payload | undefined;
    if (payload?.iss !== issuer || payload['kubernetes.io'] === undefined) return 'token has another issuer';
    const oldest = this.#checked.size >= cacheSize ? this.#checked.keys().next().value : undefined;
    if (oldest !== undefined) this.#checked.delete(oldest);
    this.#checked.set(token, payload);
    return payload;
  }
}

function boundObject(payload: Payload): BoundObject | undefined {
  for (const kind of ['Pod', 'Secret', 'Node']) {
    const found = payload['kubernetes.io'][kind.toLowerCase()] as Omit<BoundObject, 'kind'> | undefined;
    if (found !== undefined) return { kind, name: found.name, uid: found.uid };
  }
  return undefined;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}
