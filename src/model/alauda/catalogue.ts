/** Every field of ALB2, Frontend and Rule: what becomes of it here. The readers and docs/alb-kinds.md go by this one table. */

/** `done`: as in ALB; `translated`: by other means, or a little differently; `refused`: it is told, and the rest is served. */
export type FieldState = 'done' | 'translated' | 'refused';

export type FieldEntry = { readonly state: FieldState; readonly what: string };

export type AlaudaKind = 'ALB2' | 'Frontend' | 'Rule';

type Fields = Readonly<Record<string, FieldEntry>>;

const done = (what: string): FieldEntry => ({ state: 'done', what });
const translated = (what: string): FieldEntry => ({ state: 'translated', what });
const refused = (what: string): FieldEntry => ({ state: 'refused', what });

const grant = 'one of another namespace needs a ReferenceGrant there (in ALB: nobody asks)';
const pushed = translated('nothing to do: pods are told of each change as it comes');

/** Under `config` of all three kinds; the nearest to the request has its way. */
const settings: Fields = {
  'timeout.proxy_connect_timeout_ms': done('timeouts.connect of a TrafficPolicy'),
  'timeout.proxy_send_timeout_ms': refused('sending has no timeout of its own; use proxy_read_timeout_ms'),
  'timeout.proxy_read_timeout_ms': translated('timeouts.backendRequest of a TrafficPolicy: of one whole try'),
  'auth.basic.realm': done('basicAuth of a TrafficPolicy'),
  'auth.basic.secret': translated('of the same namespace only; otherwise nobody is let in'),
  'auth.basic.secret_type': translated('`auth-file`; with `auth-map` nobody is let in'),
  'auth.basic.auth_type': done('`basic`'),
  'auth.forward.url': translated('a Service of the cluster, without variables; with others nobody is let in'),
  'auth.forward.method': done('of the question'),
  'auth.forward.upstream_headers': done('headers of its answer that the backend gets'),
  'auth.forward.auth_headers_cm_ref': refused(
    'the service is told the headers of the request; with it nobody is let in',
  ),
  'auth.forward.auth_request_redirect': refused("the service is told the request's own URL"),
  'auth.forward.signin': translated('without variables'),
  'auth.forward.always_set_cookie': refused(
    "the service's cookies reach the client only with answers that went well, and with the redirect to sign in",
  ),
  'auth.forward.signin_redirect_param': done('default `rd`'),
  'modsecurity.enable': translated(
    'mode of a WAFPolicy: block, or off; beside the annotation `nginx.ingress.kubernetes.io/modsecurity-snippet` nobody is let in',
  ),
  'modsecurity.useCoreRules': translated('the Core Rule Set is always in force where the firewall is on'),
  'modsecurity.useRecommend': translated('its settings are always in force where the firewall is on'),
  'modsecurity.transactionId': refused('audit events have X-Request-Id'),
  'modsecurity.cmRef': translated('nobody is let in: rules of its own are to be in a WAFPolicy'),
  'redirect.code': translated('301, 302, 303, 307, 308; of a Frontend, 301 without one'),
  'redirect.url': translated(
    "taken apart: scheme, host, port, path; one with variables or a query can't be used",
  ),
  'redirect.scheme': done('RequestRedirect of an HTTPRoute'),
  'redirect.host': done('RequestRedirect of an HTTPRoute'),
  'redirect.port': done('RequestRedirect of an HTTPRoute'),
  'redirect.prefix_match': done('what the path begins with'),
  'redirect.replace_prefix': done('RequestRedirect of an HTTPRoute'),
  keepalive: refused('connections of clients stay 75 seconds after a request, for a million of them'),
  otel: refused('there are no traces yet; metrics and access logs are'),
};

const affinity =
  '`sip-hash`: by the address of the connection, whatever headers say; `cookie`: a cookie of ours; `header`: by its value';

const serviceGroup: Fields = {
  'serviceGroup.services': done('backendRefs'),
  'serviceGroup.services[].name': done('backendRefs'),
  'serviceGroup.services[].namespace': translated(grant),
  'serviceGroup.services[].port': done('backendRefs'),
  'serviceGroup.services[].weight': done('backendRefs; 0: none'),
  'serviceGroup.session_affinity_policy': translated(affinity),
  'serviceGroup.session_affinity_attribute': done('name of the cookie (default: JSESSIONID) or the header'),
};

const source: Fields = {
  'source.type': translated('`ingress`: not served, since the Ingress is'),
  'source.namespace': done('nothing to do'),
  'source.name': done('nothing to do'),
};

const backendProtocol = done(
  '`http`, `https`, `grpc`, `grpcs`; who answers by TLS is not asked for a certificate',
);

const own: Readonly<Record<AlaudaKind, Fields>> = {
  ALB2: {
    address: done('addresses that are asked for'),
    type: done('`nginx`'),
    'config.loadbalancerName': translated('nothing to do: it is called as the object is'),
    'config.loadbalancerType': translated('nothing to do'),
    'config.vip.enableLbSvc': done('a Service of type LoadBalancer; without it one of type ClusterIP'),
    'config.vip.lbSvcIpFamilyPolicy': refused('the Service has what families the cluster has'),
    'config.vip.allocateLoadBalancerNodePorts': refused('none are allocated'),
    'config.vip.lbSvcAnnotations': done('annotations of the Service'),
    'config.networkMode': done("`host`: on the node's addresses; `container`: behind a Service"),
    'config.nodeSelector': done('of its pods'),
    'config.replicas': done('default 3'),
    'config.enableAlb': translated('nothing to do: Frontends are served if there are any'),
    'config.enableALb': translated('nothing to do: Frontends are served if there are any'),
    'config.enableIngress': done('`false`: Ingresses are not served'),
    'config.defaultIngressClass': done('the IngressClass is the default'),
    'config.ingressHTTPPort': done('default 80; 0: none'),
    'config.ingressHTTPSPort': done('default 443; 0: none'),
    'config.ingressSSLRedirect': done(
      '308 to https for all that comes to ingressHTTPPort: neither Ingresses nor Rules have it',
    ),
    'config.ingressController': refused('the controller of IngressClasses is `netloom.dev/ingress`'),
    'config.defaultSSLCert': translated(`certificate of HTTPS Frontends that name none; ${grant}`),
    'config.defaultSSLStrategy': refused('Ingresses without `tls` are not served by HTTPS: give them `tls`'),
    'config.projects': done('namespaces by the label `cpaas.io/project`; `ALL_ALL`: all'),
    'config.enablePortProject': refused('ports have no projects: give each project an ALB of its own'),
    'config.portProjects': refused('ports have no projects: give each project an ALB of its own'),
    'config.resources.limits': done('of the container nginx'),
    'config.resources.requests': done('of the container nginx'),
    'config.resources.alb': translated('nothing to do: there is no controller in the pods'),
    'config.antiAffinityKey': translated('pods are spread over nodes anyway'),
    'config.bindNIC': refused(
      'all addresses are listened on: use a NetworkPolicy, or networkMode `container`',
    ),
    'config.gateway.enable': translated('nothing to do: Gateways of our class are served'),
    'config.gateway.mode': translated('a Gateway shares an ALB that its infrastructure.parametersRef names'),
    'config.gateway.name': translated('a Gateway shares an ALB that its infrastructure.parametersRef names'),
    'config.enablePrometheus': translated('metrics are always there'),
    'config.metricsPort': translated('docs/registry.md has the port'),
    'config.enablePortprobe': translated('two listeners for one port are told by conditions'),
    'config.enableIPV6': translated('nothing to do: both families are listened on'),
    'config.enableHTTP2': translated('nothing to do: it is always on'),
    'config.enableGzip': translated('compression of a TrafficPolicy; off without one'),
    'config.enableCrossClusters': refused('endpoints of other clusters are not looked for'),
    'config.enableGoMonitor': translated('the controller has metrics of its own'),
    'config.goMonitorPort': translated('docs/registry.md has the port'),
    'config.enableProfile': refused('there is no profiling port'),
    'config.workerLimit': translated('a worker for each CPU of the limit'),
    'config.resyncPeriod': pushed,
    'config.syncPolicyInterval': pushed,
    'config.interval': pushed,
    'config.reloadtimeout': translated('nothing to do: nothing is reloaded'),
    'config.policyZip': translated('nothing to do: pods keep no file of policies that others could read'),
    'config.cleanMetricsInterval': translated('nothing to do: counters are never cleared'),
    'config.backlog': refused('it is 4096'),
    'config.maxTermSeconds': translated('docs/gateway.md says how a pod ends'),
    'config.readonlyFS': translated("pods' file systems are read-only anyway"),
    'config.overwrite': refused("images and nginx's configuration are Netloom's"),
  },
  Frontend: {
    port: done('of a listener'),
    protocol: translated('`http`, `https`, `tcp`, `udp`; `grpc` as `http`, `grpcs` as `https`'),
    certificate_name: translated(grant),
    backendProtocol,
    'config.redirect': translated(
      'all that comes to the port is redirected; its Rules are not asked, as in ALB',
    ),
    ...serviceGroup,
    'serviceGroup.session_affinity_policy': translated(
      `${affinity}; of \`tcp\` and \`udp\` refused, whichever it is: connections go by turns`,
    ),
    ...source,
  },
  Rule: {
    priority: done('before weight, length of dslx and name; default 5'),
    dslx: done('docs/alb-kinds.md says which operators'),
    'dslx[].type': translated(
      "SRC_IP is the connection's client, never what X-Real-IP or X-Forwarded-For say",
    ),
    'dslx[].key': done('name of a header, a parameter or a cookie'),
    'dslx[].values': translated('`ENDS_WITH` of HOST takes any number of labels, in ALB one'),
    dsl: translated('nothing to do beside dslx; alone it is not read, and the Rule is not served'),
    description: translated('nothing to do'),
    type: translated('nothing to do'),
    domain: done('a listener of its own, with the certificate; without dslx and dsl the host that it takes'),
    certificate_name: translated(`with domain; ${grant}`),
    url: done('base of rewrite_target; without dslx and dsl the beginning of paths that it takes'),
    rewrite_base: translated('`.*`, a text, or a regular expression that begins where URL does'),
    rewrite_target: done('with what groups matched'),
    redirectURL: translated(
      "taken apart: scheme, host, port, path; one with variables or a query can't be used",
    ),
    redirectCode: translated('301, 302, 303, 307, 308'),
    vhost: done('hostname of a URLRewrite'),
    enableCORS: translated(
      'credentials are allowed only where corsAllowOrigin says whom: browsers refuse `*` with them',
    ),
    corsAllowHeaders: done('of a CORS filter'),
    corsAllowOrigin: done('of a CORS filter'),
    backendProtocol,
    ...serviceGroup,
    ...source,
  },
};

const notRedirected = translated('nothing: as in ALB, Frontends and Rules are redirected by their own');

/** By field from `spec` on. */
export function fieldsOfKind(kind: AlaudaKind): ReadonlyMap<string, FieldEntry> {
  const shared = Object.entries(settings).map(
    ([field, entry]) =>
      [`config.${field}`, kind === 'ALB2' && field.startsWith('redirect.') ? notRedirected : entry] as const,
  );
  return new Map([...Object.entries(own[kind]), ...shared].map(([field, entry]) => [`spec.${field}`, entry]));
}
