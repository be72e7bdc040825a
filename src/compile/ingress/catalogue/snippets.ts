/**
 * Snippets of nginx's configuration, which are never served: whether one may have kept somebody out. All that isn't known to keep nobody out may.
 */

/** The first directive that may; undefined: there is none. */
export function protectorIn(snippet: string): string | undefined {
  const bare = snippet.replaceAll(stringOrComment, (found) =>
    found.startsWith('#') ? '' : found.length === 2 ? empty : text,
  );
  for (const statement of bare.split(/[;{}]/)) {
    const [directive = '', name = '', value = empty] = statement.trim().split(/\s+/);
    if (directive === '' || harmless.test(directive)) continue;
    // What a client says must not stand where the snippet said something else, or nothing.
    if (directive === 'proxy_set_header' && ownHeaders.test(name) && value !== empty) continue;
    return directive;
  }
  return undefined;
}

const empty = "''";
const text = '"-"';

/** As nginx has it: each begins where a word may begin. */
const stringOrComment = /(?<=^|[\s;{}])(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|#[^\n]*)/gs;

/** They shape answers, times, buffers and logs. Of `if` and `set` it is what is within that counts, or made of them. */
const harmless = new RegExp(
  `^(?:${[
    'if|set|add_header|add_trailer|more_set_headers|more_clear_headers|expires|etag|charset(?:_types)?|sub_filter\\w*',
    '(?:gzip|brotli)\\w*|access_log|error_log|log_subrequest|rewrite_log|http2_push_preload',
    'proxy_(?:connect|read|send)_timeout|proxy_(?:request_)?buffering|proxy_(?:busy_)?buffers?(?:_size)?|proxy_max_temp_file_size',
    'proxy_http_version|proxy_redirect|proxy_hide_header|proxy_cookie_\\w+|proxy_next_upstream\\w*|proxy_ssl_(?:name|server_name)',
    'client_(?:header|body)_timeout|client_(?:header|body)_buffer_size|client_max_body_size|large_client_header_buffers',
    'send_timeout|keepalive_\\w+|tcp_nodelay|chunked_transfer_encoding|underscores_in_headers',
  ].join('|')})$`,
);

/** Headers that the gateway sets itself, or that say nothing of who asks. */
const ownHeaders =
  /^(?:host|connection|upgrade|accept-encoding|x-real-ip|x-request-id|x-scheme|x-forwarded-(?:for|proto|host|port|scheme))$/i;
