/** What the schemas of ALB's kinds (crd.alauda.io) have in common. The facts are upstream's, the words ours. */

export const alaudaGroup = 'crd.alauda.io';

const text = (description: string) => ({ type: 'string', description }) as const;
const number = (description: string) => ({ type: 'integer', description }) as const;
const flag = (description: string) => ({ type: 'boolean', description }) as const;

export const certificateNameSchema = text(
  'Secret with a certificate, `NAMESPACE/NAME`. One of another namespace needs a ReferenceGrant there.',
);

export const backendProtocolSchema = text('What backends speak: `http`, `https`, `grpc` or `grpcs`.');

export const serviceGroupSchema = {
  type: 'object',
  description: 'Where requests go.',
  properties: {
    services: {
      type: 'array',
      description: 'By weight. A Service of another namespace needs a ReferenceGrant there.',
      items: {
        type: 'object',
        properties: {
          name: text('Name of the Service.'),
          namespace: text("Namespace of the Service. Default: the object's own."),
          port: number('Port of the Service.'),
          weight: number('Share of the requests.'),
        },
      },
    },
    session_affinity_policy: text(
      '`sip-hash`, `cookie` or `header`: the same endpoint for the same address, cookie or header. Default: by turns.',
    ),
    session_affinity_attribute: text('Name of the cookie (default: `JSESSIONID`) or of the header.'),
  },
} as const;

export const sourceSchema = {
  type: 'object',
  description:
    'What the object was made for. One that was made for an Ingress is not served: the Ingress is.',
  properties: {
    type: text('`ingress` or `bind`.'),
    namespace: text('Its namespace.'),
    name: text('Its name.'),
  },
} as const;

const redirectSchema = {
  type: 'object',
  description: 'Requests are redirected.',
  properties: {
    code: number('Status of the answer.'),
    url: text('Where to, whole.'),
    scheme: text('`http` or `https`.'),
    host: text('Another host.'),
    port: number('Another port.'),
    prefix_match: text('What the path begins with.'),
    replace_prefix: text('What comes in its place.'),
  },
} as const;

const authSchema = {
  type: 'object',
  description: 'Who is let in.',
  properties: {
    basic: {
      type: 'object',
      description: 'By name and password.',
      properties: {
        realm: text('What browsers show.'),
        secret: text('Secret, `NAMESPACE/NAME`, of the same namespace.'),
        secret_type: text('`auth-file`: a password file of Apache under the key `auth`.'),
        auth_type: text('`basic`.'),
      },
    },
    forward: {
      type: 'object',
      description: 'A service is asked.',
      properties: {
        url: text('URL of the service.'),
        method: text('Of the question.'),
        auth_headers_cm_ref: text('ConfigMap with headers for it.'),
        auth_request_redirect: text('Value of X-Auth-Request-Redirect.'),
        upstream_headers: {
          type: 'array',
          description: 'Headers of its answer that the backend gets.',
          items: { type: 'string' },
        },
        signin: text('Where clients are sent who are not let in.'),
        always_set_cookie: flag('Its cookies reach the client, whatever the backend answers.'),
        signin_redirect_param: text('Parameter of `signin` with the URL that was asked for.'),
      },
    },
  },
} as const;

/** Of all three kinds; the nearest to the request has its way. */
export const settingsProperties = {
  redirect: redirectSchema,
  timeout: {
    type: 'object',
    description: 'How long a backend is waited for, in milliseconds.',
    properties: {
      proxy_connect_timeout_ms: number('For a connection.'),
      proxy_send_timeout_ms: number('To take some of the request.'),
      proxy_read_timeout_ms: number('For some of the answer.'),
    },
  },
  auth: authSchema,
  modsecurity: {
    type: 'object',
    description: 'The web application firewall.',
    properties: {
      enable: flag('Whether requests are looked at.'),
      transactionId: text('What requests are called in its log.'),
      useCoreRules: flag('With the Core Rule Set.'),
      useRecommend: flag('With the settings that ModSecurity recommends.'),
      cmRef: text('Rules of its own, in a ConfigMap: `NAMESPACE/NAME#KEY`.'),
    },
  },
  keepalive: {
    type: 'object',
    description: "How long clients' connections stay.",
    'x-kubernetes-preserve-unknown-fields': true,
  },
  otel: {
    type: 'object',
    description: 'Traces.',
    'x-kubernetes-preserve-unknown-fields': true,
  },
} as const;

export const settingsSchema = {
  type: 'object',
  description: 'What else holds for requests.',
  'x-kubernetes-preserve-unknown-fields': true,
  properties: settingsProperties,
} as const;
