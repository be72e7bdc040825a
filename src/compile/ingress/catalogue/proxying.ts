/** Annotations about how requests are sent to backends and answers given: protocols, timeouts, tries, sizes, headers. */
import {
  type AnnotationRow,
  type Annotations,
  notBoolean,
  type Outcome,
  readBoolean,
  readDuration,
  readNumber,
  readSize,
  readURL,
  readWords,
  refuse,
  shown,
} from '../annotations.ts';
import type { Effects } from '../effects.ts';

const fixed = (name: string): AnnotationRow => ({
  name,
  state: 'refused',
  text: 'The gateway’s own, and the same for all.',
});
/** Nothing to do while the value is what holds anyway. */
const usual = (name: string, values: readonly string[], text: string): AnnotationRow => ({
  name,
  state: 'refused',
  text,
  read: (value) => (values.includes(value.toLowerCase()) ? {} : refuse(text)),
});

export const proxyingRows: readonly AnnotationRow[] = [
  { name: 'client-body-buffer-size', state: 'refused', text: 'The gateway’s own, and the same for all.' },
  usual('connection-proxy-header', ['keep-alive'], 'Connections to backends are the gateway’s.'),
  {
    name: 'custom-headers',
    state: 'refused',
    text: 'Use the annotation `alb.ingress.cpaas.io/rewrite-response` beside it, or an HTTPRoute with a ResponseHeaderModifier.',
  },
  {
    name: 'custom-http-errors',
    state: 'translated',
    text: 'Bodies of answers with these codes are replaced by those of `default-backend`, which is asked with GET, X-Code, X-Format, X-Original-URI, X-Request-ID, Accept and Accept-Language; not with X-Namespace, X-Ingress-Name, X-Service-Name and X-Service-Port. The status stays, whatever that answers. Without it it is refused: use a TrafficPolicy with `errors`.',
    read(value, get) {
      const codes = value.split(',').map((each) => readNumber(each.trim(), 400, 599));
      if (codes.includes(undefined)) return refuse(`${shown(value)} are no codes from 400 to 599`);
      if (get('default-backend') === undefined)
        return refuse('needs default-backend, or use a TrafficPolicy with errors');
      return { errorCodes: [...new Set(codes as number[])] };
    },
  },
  {
    name: 'default-backend',
    state: 'translated',
    text: 'A Service of the same namespace, by its first port: in place of one that has no endpoints, where it gets the request as it is, without X-Code and its like; and for `custom-http-errors`.',
    read: (value) =>
      /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(value)
        ? { defaultBackend: value }
        : refuse(`${shown(value)} is no name of a Service`),
  },
  usual(
    'disable-proxy-intercept-errors',
    ['true', 'false'],
    'Only what the Ingress itself says replaces answers.',
  ),
  {
    name: 'enable-access-log',
    state: 'done',
    text: '`false`: its requests aren’t logged. What is logged says a TrafficPolicy.',
    read(value) {
      const on = readBoolean(value);
      if (on === undefined) return refuse(notBoolean(value));
      return on ? {} : { settings: { accessLog: { share: 1_000_000 } } };
    },
  },
  usual('enable-rewrite-log', ['false'], 'See `netloom why URL`.'),
  usual('enable-opentelemetry', ['false'], 'Requests aren’t traced.'),
  usual(
    'opentelemetry-trust-incoming-span',
    ['true', 'false'],
    'Requests aren’t traced; headers of traces go on as they come.',
  ),
  { name: 'opentelemetry-operation-name', state: 'refused', text: 'Requests aren’t traced.' },
  usual('enable-opentracing', ['false'], 'Gone from ingress-nginx; requests aren’t traced.'),
  usual(
    'opentracing-trust-incoming-span',
    ['true', 'false'],
    'Gone from ingress-nginx; requests aren’t traced.',
  ),
  {
    name: 'fastcgi-index',
    state: 'refused',
    text: 'FastCGI isn’t spoken; put a web server beside the application.',
  },
  { name: 'fastcgi-params-configmap', state: 'refused', text: 'FastCGI isn’t spoken.' },
  usual('http2-push-preload', ['false'], 'Browsers know no pushes any more.'),
  {
    name: 'mirror-target',
    state: 'translated',
    text: 'Copies of requests go to a Service (`http://NAME.NAMESPACE.svc.cluster.local:PORT$request_uri`; in another namespace with its ReferenceGrant), with the path of the request. Nothing else can be named, and no path in front.',
    read(value) {
      const url = readURL(value.replace(/\$request_uri$/, ''));
      if (url === undefined || url.path !== '' || url.scheme === 'https')
        return refuse(
          `${shown(value)} is not http://NAME.NAMESPACE.svc.cluster.local:PORT$request_uri: copies have the path of the request`,
        );
      return { mirror: url };
    },
  },
  { name: 'mirror-host', state: 'refused', text: 'Copies have the request’s own Host.' },
  usual('mirror-request-body', ['on'], 'Copies are whole.'),
  {
    name: 'proxy-body-size',
    state: 'done',
    text: 'Larger bodies get 413. Absent: no limit (in ingress-nginx 1m).',
    read(value) {
      const maxBody = readSize(value);
      return maxBody === undefined ? refuse(`${shown(value)} is no size`) : { settings: { maxBody } };
    },
  },
  fixed('proxy-buffer-size'),
  fixed('proxy-buffers-number'),
  fixed('proxy-busy-buffers-size'),
  fixed('proxy-max-temp-file-size'),
  {
    name: 'proxy-buffering',
    state: 'done',
    text: '`on`: an answer is given once it is whole.',
    read: (value) => onOff(value, (answers) => ({ settings: { buffering: { answers } } })),
  },
  {
    name: 'proxy-request-buffering',
    state: 'done',
    text: '`on`: a request is sent on once it is whole. Absent: as it comes (in ingress-nginx once it is whole).',
    read: (value) => onOff(value, (requests) => ({ settings: { buffering: { requests } } })),
  },
  {
    name: 'proxy-connect-timeout',
    state: 'done',
    text: 'Seconds for a connection to a backend.',
    read: (value) => duration(value, (connect) => ({ settings: { timeouts: { connect } } })),
  },
  {
    name: 'proxy-read-timeout',
    state: 'done',
    text: 'Seconds without anything of the answer.',
    read: (value) => duration(value, (backendRequest) => ({ timeouts: { backendRequest } })),
  },
  {
    name: 'proxy-send-timeout',
    state: 'translated',
    text: 'One time for both ways: `proxy-read-timeout` if it is there, else this.',
    read: (value, get) =>
      get('proxy-read-timeout') === undefined
        ? duration(value, (backendRequest) => ({ timeouts: { backendRequest } }))
        : duration(value, () => ({})),
  },
  usual('proxy-cookie-domain', ['off'], 'Cookies go on as the backend sets them.'),
  usual('proxy-cookie-path', ['off'], 'Cookies go on as the backend sets them.'),
  usual('proxy-http-version', ['1.1'], 'HTTP/1.1 is spoken, or HTTP/2 by `backend-protocol`.'),
  {
    name: 'proxy-next-upstream',
    state: 'translated',
    text: 'Another endpoint is tried after these codes, of requests of any method; after errors of connections always, unless `off`.',
    read: tries,
  },
  {
    name: 'proxy-next-upstream-tries',
    state: 'translated',
    text: 'In all; 0 is 10.',
    read: (value, get) =>
      get('proxy-next-upstream') === undefined ? tries('error timeout', get) : number(value),
  },
  usual('proxy-next-upstream-timeout', ['0'], 'Use a TrafficPolicy with `timeouts.request`.'),
  usual(
    'proxy-redirect-from',
    ['off'],
    'Location goes on as the backend says it; use `upstream-vhost` or none.',
  ),
  usual('proxy-redirect-to', ['off'], 'Location goes on as the backend says it.'),
  usual('service-upstream', ['false'], 'Endpoints are asked, not the Service’s address.'),
];

function number(value: string): Outcome {
  return readNumber(value, 0, 1_000) === undefined ? refuse(`${shown(value)} is no number`) : {};
}

function onOff(value: string, then: (on: boolean) => Effects): Outcome {
  return value === 'on' || value === 'off'
    ? then(value === 'on')
    : refuse(`${shown(value)} is not on or off`);
}

function duration(value: string, then: (milliseconds: number) => Effects): Outcome {
  const milliseconds = readDuration(value);
  return milliseconds === undefined || milliseconds === 0 || milliseconds > 2_147_483_647
    ? refuse(`${shown(value)} is no time in seconds`)
    : then(milliseconds);
}

const conditions = ['error', 'timeout', 'invalid_header', 'non_idempotent'];
const mostTries = 10;

function tries(value: string, get: Annotations): Outcome {
  const words = readWords(value);
  if (words.includes('off')) return { retry: { codes: [], attempts: 0 } };
  const wished = readNumber(get('proxy-next-upstream-tries'), 0, 1_000) ?? 3;
  const attempts = (wished === 0 ? mostTries : Math.min(wished, mostTries)) - 1;
  const codes = words.flatMap((word) => {
    const code = readNumber(/^http_([0-9]{3})$/.exec(word)?.[1], 400, 599);
    return code === undefined ? [] : [code];
  });
  const bad = words.find(
    (word) => !conditions.includes(word) && !/^http_(?:50[0234]|403|404|429)$/.test(word),
  );
  return bad === undefined
    ? { retry: { codes, attempts } }
    : refuse(`${shown(bad)} can't be tried again after`);
}
