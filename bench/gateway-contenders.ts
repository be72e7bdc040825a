/** What the gateway is compared with: nginx and HAProxy with the same routes written into their configuration. Text only. */
import { place } from './gateway-routes.ts';

export type Ports = { readonly http: number; readonly https: number };

export type ContenderPlan = {
  readonly routes: number;
  /** `ADDRESS:PORT`. */
  readonly endpoint: string;
  readonly ports: Ports;
  /** Its own, for all that it writes. */
  readonly directory: string;
  /** PEM: certificate chain and key, each in a file. */
  readonly certificate: string;
  readonly privateKey: string;
};

/** A server a host with a location a route, as one would write it by hand; keepalive to the backend as ours, and what it tells it of clients and traces. */
export function plainNginx(plan: ContenderPlan, workers: number): string {
  const hosts = new Map<string, string[]>();
  for (let index = 0; index < plan.routes; index++) {
    const { host, path } = place(index);
    const paths = hosts.get(host) ?? [];
    paths.push(path);
    hosts.set(host, paths);
  }
  const servers = [...hosts].map(
    ([host, paths]) => `
  server {
    listen ${plan.ports.http};
    listen ${plan.ports.https} ssl;
    server_name ${host};
${paths.map((path) => `    location ${path}/ { proxy_pass http://backend; }`).join('\n')}
  }`,
  );
  return `worker_processes ${workers};
pid ${plan.directory}/nginx.pid;
error_log ${plan.directory}/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${plan.directory}/body;
  proxy_temp_path ${plan.directory}/proxy;
  fastcgi_temp_path ${plan.directory}/fastcgi;
  uwsgi_temp_path ${plan.directory}/uwsgi;
  scgi_temp_path ${plan.directory}/scgi;
  http2 on;
  keepalive_requests 1000000;
  server_names_hash_max_size 65536;
  map $http_traceparent $trace { "" "00-$request_id-6e65746c6f6f6d01-00"; default $http_traceparent; }
  server_names_hash_bucket_size 128;
  ssl_certificate ${plan.certificate};
  ssl_certificate_key ${plan.privateKey};
  ssl_session_cache shared:tls:1m;
  upstream backend { server ${plan.endpoint}; keepalive 256; keepalive_requests 1000000; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Port $server_port;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Request-Id $request_id;
  proxy_set_header traceparent $trace;
  server { listen ${plan.ports.http} default_server; listen ${plan.ports.https} ssl default_server; return 404; }
${servers.join('')}
}
`;
}

/** One map of hosts and paths, which is how HAProxy is fastest. `bundle`: certificate and key in one file. */
export function haproxy(
  plan: ContenderPlan,
  bundle: string,
): { readonly config: string; readonly map: string } {
  const map = `${plan.directory}/routes.map`;
  return {
    map: Array.from({ length: plan.routes }, (_, index) => {
      const { host, path } = place(index);
      return `${host}${path}/ backend\n`;
    }).join(''),
    config: `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend all
  bind :${plan.ports.http}
  bind :${plan.ports.https} ssl crt ${bundle} alpn h2,http/1.1
  option forwardfor
  unique-id-format %{+X}o%ci%cp%ts%rt
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-Id %[unique-id]
  http-request set-header traceparent 00-%[unique-id]-6e65746c6f6f6d01-00 if !{ req.hdr(traceparent) -m found }
  use_backend %[base,map_beg(${map},nowhere)]
backend backend
  server one ${plan.endpoint}
backend nowhere
  http-request return status 404
`,
  };
}

/** What answers behind all of them. */
export function backendNginx(port: number, directory: string): string {
  return `worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  keepalive_requests 1000000;
  server { listen ${port}; location / { return 200 "twenty bytes of text"; } }
}
`;
}
