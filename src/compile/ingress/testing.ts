/** For tests: Ingresses, short to write, and what they become. */
import { readIngress } from '#model/ingress/ingress.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import { nginxPrefix } from './catalogue/index.ts';
import { namesOf } from './sites.ts';
import { translateIngress } from './translate.ts';
import type { Translation } from './types.ts';

export type IngressWish = {
  readonly name?: string;
  readonly namespace?: string;
  /** Those of ingress-nginx, without the prefix. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** `HOST/PATH[ TYPE]` to `SERVICE[:PORT]`; TYPE is Prefix unless it is said. */
  readonly paths?: Readonly<Record<string, string>>;
  readonly defaultBackend?: string;
  /** Secrets by host; '' is for no host in particular. */
  readonly tls?: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly age?: number;
};

export function ingressOf(wish: IngressWish): IngressModel {
  const {
    name = 'shop',
    namespace = 'x',
    annotations = {},
    paths = { 'a.example/': 'web' },
    tls = {},
    age = 0,
  } = wish;
  const rules = Object.entries(paths).map(([place, backend]) => {
    const [written = '', pathType = 'Prefix'] = place.split(' ');
    const slash = written.indexOf('/');
    const path = { path: written.slice(slash), pathType, backend: backendOf(backend) };
    return { ...(slash > 0 ? { host: written.slice(0, slash) } : {}), http: { paths: [path] } };
  });
  const entries = Object.entries(annotations).map(([key, value]) => [`${nginxPrefix}${key}`, value]);
  const object = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name,
      namespace,
      uid: name,
      creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, age)).toISOString(),
      annotations: Object.fromEntries(entries) as Record<string, string>,
    },
    spec: {
      rules,
      ...(wish.defaultBackend === undefined ? {} : { defaultBackend: backendOf(wish.defaultBackend) }),
      tls: Object.entries(tls).map(([host, secretName]) => ({
        ...(host === '' ? {} : { hosts: [host] }),
        ...(secretName === '' ? {} : { secretName }),
      })),
    },
  };
  const { value, problems } = readIngress(object as unknown as Parameters<typeof readIngress>[0]);
  if (value === undefined || problems.length > 0) throw new Error(JSON.stringify(problems));
  return value;
}

export type Surroundings = {
  readonly others?: readonly IngressWish[];
  /** Services without endpoints. */
  readonly empty?: readonly string[];
  /** Absent: the ALB has both listeners, and a certificate. */
  readonly https?: { readonly port: number; readonly hasCertificate: boolean } | 'none';
};

/** Beside other Ingresses of the namespace. There is every Service, with the ports `http` 80 and `admin` 81. */
export function translated(
  wish: IngressWish,
  { others = [], empty = [], https = { port: 443, hasCertificate: true } }: Surroundings = {},
): Translation {
  const ingress = ingressOf(wish);
  const all = [ingress, ...others.map(ingressOf)].toSorted((a, b) => (a.created < b.created ? -1 : 1));
  const at = (name: string) => all.filter((each) => namesOf(each).includes(name));
  return translateIngress(ingress, {
    gateway: { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'alb', name: 'main~alb' },
    http: { section: 'http', port: 80 },
    ...(https === 'none' ? {} : { https: { section: 'https', ...https } }),
    peers: at,
    neighbours: at,
    service: (name) => ({
      origin: { kind: 'Service', namespace: 'x', name },
      key: `x/${name}`,
      external: false,
      ports: [
        { name: 'http', protocol: 'TCP', port: 80 },
        { name: 'admin', protocol: 'TCP', port: 81 },
      ],
    }),
    isEmpty: (name) => empty.includes(name),
  });
}

function backendOf(text: string): object {
  const [name = '', port = '80'] = text.split(':');
  return {
    service: { name, port: /^[0-9]+$/.test(port) ? { number: Number(port) } : { name: port } },
  };
}
