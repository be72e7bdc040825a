/** Services that an Ingress names: as backends of its paths, and by URLs in its annotations. */
import type { BackendReference, BackendSpeech } from '#model/gateway/types.ts';
import type { IngressBackend } from '#model/ingress/types.ts';
import type { TargetURL } from './effects.ts';
import type { Place } from './place.ts';
import { mainNeighbours, type Site } from './sites.ts';

/** Undefined: nothing can be sent there. One without a port is a Service that has none of that name. */
export function backendOf(
  backend: IngressBackend,
  field: string,
  place: Place,
): BackendReference | undefined {
  const { ingress, context, effects, note } = place;
  if ('unusable' in backend) {
    note(field, 'NotSupported', `${backend.unusable}: only a Service can be a backend`);
    return undefined;
  }
  const { service: name, port } = backend;
  const instead = effects.defaultBackend;
  if (instead !== undefined && instead !== name && context.isEmpty(name)) return defaultBackend(place);
  const number = portOf(name, port, place);
  if (number === undefined && context.service(name) !== undefined)
    note(field, 'PortNotFound', `Service ${ingress.namespace}/${name} has no port ${port}`);
  return reference(name, number, place, speechOf(place));
}

/** The first port of the Service that the annotation names. */
export function defaultBackend(place: Place): BackendReference | undefined {
  const name = place.effects.defaultBackend;
  if (name === undefined) return undefined;
  const service = place.context.service(name);
  if (service === undefined)
    place.note('metadata.annotations', 'ReferenceNotFound', `default-backend: there is no Service ${name}`);
  return reference(name, service?.ports[0]?.port, place);
}

/** `undefined`: the URL's host is no Service, and none that an Ingress of the namespace serves at the path. */
export function targetOf(url: TargetURL, site: Site, place: Place): BackendReference | undefined {
  const named = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?$/.exec(url.host);
  const scheme = url.scheme === 'https' ? 443 : 80;
  if (named !== null) {
    const [, name = '', namespace = ''] = named;
    const speech: BackendSpeech = {
      protocol: 'http',
      tls: { origin: place.ingress.origin, hostname: url.host },
    };
    return {
      group: '',
      kind: 'Service',
      namespace,
      name,
      port: url.port ?? scheme,
      weight: 1,
      ...(url.scheme === 'https' ? { speech } : {}),
    };
  }
  const host = url.host === '$host' ? site.host : url.host;
  const path = url.path.split('?')[0] ?? '';
  const found = mainNeighbours(host, place.context)
    .flatMap(({ rules }) => rules.filter((rule) => (rule.host ?? '') === host).flatMap((rule) => rule.paths))
    .filter((each) => takes(each.type, each.path, path))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
  if (found === undefined || 'unusable' in found.backend) return undefined;
  const { service, port } = found.backend;
  return reference(service, portOf(service, port, place), place);
}

function portOf(service: string, port: number | string, { context }: Place): number | undefined {
  if (typeof port === 'number') return port;
  return context.service(service)?.ports.find(({ name }) => name === port)?.port;
}

function reference(
  name: string,
  port: number | undefined,
  { ingress: { namespace } }: Place,
  speech?: BackendSpeech,
): BackendReference {
  return {
    group: '',
    kind: 'Service',
    namespace,
    name,
    weight: 1,
    ...(port === undefined ? {} : { port }),
    ...(speech === undefined ? {} : { speech }),
  };
}

function speechOf({ ingress: { origin, namespace }, effects: { speech } }: Place): BackendSpeech | undefined {
  if (speech === undefined) return undefined;
  const { protocol, tls } = speech;
  if (tls === undefined) return { protocol };
  const secret = (name: string) => ({ group: '', kind: 'Secret', namespace, name });
  return {
    protocol,
    tls: {
      origin,
      hostname: tls.hostname,
      ...(tls.authority === undefined ? {} : { authority: secret(tls.authority) }),
      ...(tls.certificate === undefined ? {} : { certificate: secret(tls.certificate) }),
    },
  };
}

function takes(type: string, path: string, asked: string): boolean {
  if (type === 'Exact') return path === asked;
  const prefix = path.replace(/\/+$/, '');
  return asked === prefix || asked.startsWith(`${prefix}/`);
}
