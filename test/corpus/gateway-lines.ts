/** Lines of cases that speak of Gateways: what becomes of a request, and what is said of an object; pure. */

import { parse, stringify } from 'yaml';
import type { AskedRequest, RequestAnswer, RequestBackend } from '#compile/answers/request.ts';
import type { GatewayCondition, GatewayStatus } from '#compile/gateway/types.ts';
import { formatOrigin } from '#intent/origin.ts';

/** `[METHOD] URL [name=value …] -> WHERE [seeing name=value …] [answered name=value …] [by ROUTE]`, of one Gateway. */
export type RequestWish = {
  readonly line: number;
  readonly gateway: string;
  readonly asked: AskedRequest;
  /** As `whereOf` words it. */
  readonly where: string;
  /** Begins so, as `formatOrigin` words it. */
  readonly by?: string;
  /** Headers, `path`, and `version` of HTTP, as the backend gets them; headers of the answer. Only a cluster tells. */
  readonly seeing?: ReadonlyMap<string, string>;
  readonly answered?: ReadonlyMap<string, string>;
  /** `asked`: of the compile alone, for what a cluster can't be asked; `sent`: to a cluster alone, for what only backends tell. */
  readonly only?: 'asked' | 'sent';
};

/** `KIND [NAMESPACE/]NAME [listener NAME|parent PARENT|ancestor GATEWAY]: TYPE STATUS [REASON], … | attachedRoutes N | nothing`. */
export type StatusWish = {
  readonly line: number;
  /** As keys of statuses: `KIND/NAMESPACE/NAME`. */
  readonly object: string;
  readonly part?: { readonly kind: 'listener' | 'parent' | 'ancestor'; readonly name: string };
  readonly says: readonly string[];
};

/** Undefined: no such line. */
export function requestOf(text: string, line: number, gateway: string): RequestWish | undefined {
  const [request = '', outcome] = text.split(' -> ');
  const match = /^(?:([A-Z]+) )?(https?):\/\/(\[[^\]]*\]|[^/:? ]*)(?::(\d+))?(\S*)((?: :?[\w-]+=\S+)*)$/.exec(
    request,
  );
  const result = /^(.+?)(?: seeing (.+?))?(?: answered (.+?))?(?: by ([A-Z].+))?$/.exec(outcome ?? '');
  if (match === null || result === null) return undefined;
  const [, method = 'GET', scheme, host = '', port, rest = '', headers = ''] = match;
  const [, where = '', seeing, answered, by] = result;
  return {
    line,
    gateway,
    asked: {
      scheme: scheme === 'https' ? 'https' : 'http',
      host,
      port: port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port),
      target: rest.startsWith('/') ? rest : `/${rest}`,
      method,
      headers: fieldsOf(headers),
    },
    where,
    ...(seeing !== undefined && { seeing: fieldsOf(seeing) }),
    ...(answered !== undefined && { answered: fieldsOf(answered) }),
    ...(by !== undefined && { by }),
  };
}

/** `name=value name=value`; in a value `_` is a space. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const pairs = text.split(' ').filter((each) => each !== '');
  return new Map(
    pairs.map((each) => {
      const equals = each.indexOf('=');
      return [each.slice(0, equals), each.slice(equals + 1).replaceAll('_', ' ')];
    }),
  );
}

/** Undefined: no such line. */
export function statusOf(text: string, line: number): StatusWish | undefined {
  const match = /^([A-Z]\w+) (\S+?)(?: (listener|parent|ancestor) (\S+?))?: (.+)$/.exec(text);
  if (match === null) return undefined;
  const [, kind = '', name = '', part, of = '', says = ''] = match;
  return {
    line,
    object: `${kind}/${name}`,
    ...(part !== undefined && { part: { kind: part as 'listener' | 'parent' | 'ancestor', name: of } }),
    says: says.split(', '),
  };
}

/** `x/web`, `x/web 90%, 500 10%`, `x/web as x/policy`, `301 http://…`, `404`, `closed`. */
export function whereOf(answer: RequestAnswer): string {
  const { outcome, code, steps, backends } = answer;
  if (outcome === 'redirected') {
    const location = steps.map(({ text }) => /, Location (.*)$/.exec(text)?.[1]).find(Boolean);
    return `${code} ${location}`;
  }
  if (outcome === 'refused') return code === undefined ? 'closed' : String(code);
  return backends
    .map((each) => `${backendOf(each)}${each.share === 100 ? '' : ` ${each.share}%`}`)
    .join(', ');
}

/** The route that took it; '' when none did. */
export function routeOf({ steps }: RequestAnswer): string {
  const origin = steps.find(({ kind, origin: of }) => kind === 'route' && of !== undefined)?.origin;
  return origin === undefined ? '' : formatOrigin(origin);
}

function backendOf({ service, tls, code, closed }: RequestBackend): string {
  if (code !== undefined) return String(code);
  if (closed === true || service === undefined) return 'closed';
  const name = `${service.namespace}/${service.name}`;
  return tls === undefined ? name : `${name} as ${tls.namespace}/${tls.name}`;
}

/** What of the wish isn't so, as sentences. */
export function unlike(
  { object, part, says }: StatusWish,
  status: GatewayStatus | undefined,
): readonly string[] {
  const found = status === undefined ? undefined : partOf(status, part);
  if (found === undefined) return says.join() === 'nothing' ? [] : [`nothing is said of ${object}`];
  const texts = found.conditions.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`);
  const rest = Object.entries(found.rest).map(([name, value]) => `${name} ${value}`);
  const said = [...texts, ...rest, ...(found.lines ?? [])];
  return says
    .filter((wish) => !said.some((each) => each === wish || each.startsWith(`${wish} `)))
    .map((wish) => `not "${wish}", but: ${said.join(', ')}`);
}

type Part = {
  readonly conditions: readonly GatewayCondition[];
  readonly rest: Readonly<Record<string, string | number>>;
  readonly lines?: readonly string[];
};

function partOf(status: GatewayStatus, part: StatusWish['part']): Part | undefined {
  if (part === undefined && status.kind === 'Ingress') {
    const { instances, problems } = status;
    const lines = [
      instances.length === 0 ? 'served by nobody' : `served by ${instances.join(', ')}`,
      ...(problems.length === 0 ? ['without problems'] : []),
      ...problems.map(({ code, field, message }) => `${code} ${field} ${message}`),
    ];
    return { conditions: [], rest: {}, lines };
  }
  if (part === undefined) {
    return 'conditions' in status
      ? {
          conditions: status.conditions,
          rest: countOf('attachedListenerSets' in status ? status.attachedListenerSets : undefined),
        }
      : undefined;
  }
  if (part.kind === 'listener' && 'listeners' in status) {
    const listener = status.listeners.find(({ name }) => name === part.name);
    return listener && { conditions: listener.conditions, rest: { attachedRoutes: listener.attachedRoutes } };
  }
  if (part.kind === 'parent' && 'parents' in status) {
    const parent = status.parents.find(({ parent: { kind, namespace, name, sectionName, port } }) => {
      const owner = `${kind === 'Gateway' ? '' : `${kind}/`}${namespace}/${name}`;
      return (
        `${owner}${sectionName === undefined ? '' : `#${sectionName}`}${port === undefined ? '' : `:${port}`}` ===
        part.name
      );
    });
    return parent && { conditions: parent.conditions, rest: {} };
  }
  if (part.kind === 'ancestor' && 'ancestors' in status) {
    const ancestor = status.ancestors.find(({ gateway }) => gateway === part.name);
    return ancestor && { conditions: ancestor.conditions, rest: {} };
  }
  return undefined;
}

function countOf(attachedListenerSets: number | undefined): Part['rest'] {
  return attachedListenerSets === undefined ? {} : { attachedListenerSets };
}

/**
 * `NAMESPACE/NAME PORT[/APP-PROTOCOL] … [empty]` as YAML documents: a Service, and a slice with one endpoint that is ready. `number`: of the Service
 * among all, for its endpoint's address. Undefined: no such line.
 */
export function servicesOf(text: string, number: number): string | undefined {
  const match = /^(\S+)\/(\S+)((?: \d+(?:\/\S+)?)+)( empty)?$/.exec(text);
  if (match === null) return undefined;
  const [, namespace, name = '', list = '', empty] = match;
  const ports = list
    .trim()
    .split(' ')
    .map((each) => {
      const [port, ...appProtocol] = each.split('/');
      return { port: Number(port), appProtocol: appProtocol.join('/') };
    })
    .map(({ port, appProtocol }) => ({
      name: `p${port}`,
      port,
      ...(appProtocol !== '' && { appProtocol }),
    }));
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { ports },
  };
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports,
    endpoints: empty === undefined ? [{ addresses: [`10.99.0.${number}`], conditions: { ready: true } }] : [],
  };
  return `---\n${stringify(service)}---\n${stringify(slice)}`;
}

/** What the intent of a Gateway must contain: a YAML record. */
export function intentWish(yaml: string): object {
  return (parse(yaml) as object | null) ?? {};
}
