/**
 * What there is in Gateway API v1.6.1, by the specification's names, and what Netloom makes of it: docs/gateway-api.md is printed from it,
 * and GatewayClasses say it in their status.
 */

export type Feature = {
  readonly name: string;
  readonly level: 'core' | 'extended';
  readonly channel: 'standard' | 'experimental';
  /** What it is, for people. */
  readonly what: string;
  /** Why it isn't served; absent: it is. */
  readonly refused?: string;
};

/** A field of the experimental channel, or of a later release, that has no name among the features. */
export type Field = { readonly path: string; readonly what: string; readonly refused?: string };

const core = (name: string, what: string): Feature => ({ name, level: 'core', channel: 'standard', what });
const extended = (name: string, what: string): Feature => ({
  name,
  level: 'extended',
  channel: 'standard',
  what,
});
const experimental = (name: string, what: string): Feature => ({
  name,
  level: 'extended',
  channel: 'experimental',
  what,
});

const gateway: readonly Feature[] = [
  core('Gateway', 'Gateways, each with a data plane of its own in its namespace'),
  core('ReferenceGrant', 'references to other namespaces; once revoked, live traffic stops'),
  extended('GatewayPort8080', 'listeners on port 8080; any other port, too'),
  extended('GatewayStaticAddresses', 'addresses that the Gateway asks for'),
  extended('GatewayAddressEmpty', 'an address without a value: any that is free'),
  extended('GatewayHTTPListenerIsolation', 'a request belongs to the most specific listener only'),
  extended('GatewayHTTPSListenerDetectMisdirectedRequests', '421 for a host of another TLS listener'),
  extended('GatewayInfrastructurePropagation', 'labels and annotations on what is made for a Gateway'),
  extended('ListenerSet', 'listeners that others add to a Gateway'),
  extended('GatewayBackendClientCertificate', 'what the Gateway shows of itself to backends'),
  extended('GatewayFrontendClientCertificateValidation', 'certificates of clients, by port'),
  extended(
    'GatewayFrontendClientCertificateValidationInsecureFallback',
    'clients without a valid certificate are let in, and the Gateway says so',
  ),
];

const httpRoute: readonly Feature[] = [
  core('HTTPRoute', 'hosts, paths, headers, weights, header changes, redirects'),
  experimental('HTTPRouteDestinationPortMatching', 'parentRefs with the port of a listener'),
  extended('HTTPRouteParentRefPort', 'the same, by the name of the standard channel'),
  extended('HTTPRouteMethodMatching', 'matches on the method'),
  extended('HTTPRouteQueryParamMatching', 'matches on parameters of the query'),
  extended('HTTPRouteBackendRequestHeaderModification', 'header changes of a single backend'),
  extended('HTTPRouteResponseHeaderModification', 'header changes on the way back'),
  extended('HTTPRoutePortRedirect', 'redirects to another port'),
  extended('HTTPRouteSchemeRedirect', 'redirects to another scheme'),
  extended('HTTPRoutePathRedirect', 'redirects to another path or prefix'),
  extended('HTTPRoute303RedirectStatusCode', 'redirects with 303'),
  extended('HTTPRoute307RedirectStatusCode', 'redirects with 307'),
  extended('HTTPRoute308RedirectStatusCode', 'redirects with 308'),
  extended('HTTPRouteHostRewrite', 'another Host for the backend'),
  extended('HTTPRoutePathRewrite', 'another path or prefix for the backend'),
  extended('HTTPRouteRequestMirror', 'copies of requests'),
  extended('HTTPRouteRequestMultipleMirrors', 'several copies'),
  extended('HTTPRouteRequestPercentageMirror', 'copies of a share of requests'),
  extended('HTTPRouteRequestTimeout', 'a time for the whole of a request'),
  extended('HTTPRouteBackendTimeout', 'a time for one try'),
  experimental(
    'HTTPRouteRetry',
    'tries again after 500, 502, 503, 504, 403, 404 and 429, with `backoff` between tries; after other codes it doesn’t',
  ),
  experimental('HTTPRouteRetryBackendTimeout', 'tries again after the time for one try'),
  experimental('HTTPRouteRetryConnectionError', 'tries again after a connection that fails'),
  extended('HTTPRouteBackendProtocolH2C', 'backends that speak HTTP/2 without TLS'),
  extended('HTTPRouteBackendProtocolWebSocket', 'backends that speak WebSocket'),
  extended('HTTPRouteNamedRouteRule', 'names of rules'),
  extended('HTTPRouteCORS', 'CORS, preflights included'),
];

const otherRoutes: readonly Feature[] = [
  core('GRPCRoute', 'services, methods, metadata, weights'),
  extended('GRPCRouteNamedRouteRule', 'names of rules'),
  core('TLSRoute', 'TLS connections by name, as they are (Passthrough)'),
  extended('TLSRouteModeTerminate', 'TLS ends here; the connection within goes on'),
  experimental('TLSRouteModeMixed', 'both, and HTTPS, on one port'),
  core('TCPRoute', 'connections'),
  core('UDPRoute', 'datagrams'),
  core('BackendTLSPolicy', 'TLS to backends, and whom they must prove to be'),
  extended('BackendTLSPolicySANValidation', 'alternative names: DNS and URI'),
];

const inside =
  'Routes of traffic between pods are not served: Services, policy and QoS are what Netloom has there.';

const mesh: readonly Feature[] = [
  { ...core('Mesh', 'routes whose parent is a Service'), refused: inside },
  ...[
    'MeshClusterIPMatching',
    'MeshConsumerRoute',
    'MeshHTTPRouteBackendRequestHeaderModification',
    'MeshHTTPRouteNamedRouteRule',
    'MeshHTTPRouteQueryParamMatching',
    'MeshHTTPRouteRedirectPath',
    'MeshHTTPRouteRedirectPort',
    'MeshHTTPRouteRewritePath',
    'MeshHTTPRouteSchemeRedirect',
  ].map((name) => ({ ...extended(name, 'something of such routes'), refused: 'See `Mesh`.' })),
];

/** In the order of the page. */
export const features: readonly { readonly title: string; readonly features: readonly Feature[] }[] = [
  { title: 'Gateways', features: gateway },
  { title: 'HTTPRoute', features: httpRoute },
  { title: 'Other routes and policies', features: otherRoutes },
  { title: 'Mesh', features: mesh },
];

export const fields: readonly Field[] = [
  {
    path: 'HTTPRoute filters ExternalAuth, protocol HTTP',
    what: 'asks a Service whether a request may pass',
  },
  {
    path: 'HTTPRoute filters ExternalAuth, protocol GRPC',
    what: 'asks it by `envoy.service.auth.v3.Authorization/Check`',
  },
  { path: 'HTTPRoute filters ExternalAuth forwardBody', what: 'the body with it, up to 1 MiB' },
  {
    path: 'HTTPRoute, GRPCRoute sessionPersistence',
    what: 'all requests of a session to one pod, by cookie or header',
  },
  { path: 'HTTPRoute backendRefs filters URLRewrite, RequestRedirect', what: 'of a single backend' },
  { path: 'Gateway defaultScope, routes useDefaultGateways', what: 'routes of all default Gateways' },
  {
    path: 'filters ExtensionRef',
    what: 'filters of somebody else',
    refused: 'There are none: the rule answers with 500, and the route’s status says so.',
  },
  {
    path: 'Gateway infrastructure.parametersRef',
    what: 'a ConfigMap with `replicas`, `externalTrafficPolicy`, `serviceType`',
  },
  {
    path: 'GatewayClass parametersRef',
    what: 'more to say of all Gateways of a class',
    refused: 'There is nothing to say of all: the class is refused.',
  },
  {
    path: 'XBackend, XBackendTrafficPolicy, XMesh',
    what: 'kinds of gateway.networking.x-k8s.io',
    refused: 'They may still change from release to release; backends are Services.',
  },
];

/** What GatewayClasses say, sorted as the specification wants it. */
export const supportedFeatures: readonly string[] = features
  .flatMap((section) => section.features)
  .filter(({ refused }) => refused === undefined)
  .map(({ name }) => name)
  .sort();
