/** Another path for requests over HTTP/2: `grpc_pass` takes none, but writes nginx's own, which it escapes in its own way. */

/** Escapes of characters that mean something in a path, and that nginx leaves as they are: written without, they would mean it. */
const meaningful = ['%2F', '%5C', '%3B'];

/**
 * `path` has its escapes in capitals. False: nginx can't write it. `/a%2Fb` would become `/a/b`, which another rule may be for, or none: a
 * backend must never be told another path than the one that was matched.
 */
export function setPath(path: string): boolean {
  for (const one of meaningful) if (path.indexOf(one) !== -1) return false;
  // `+` is a plus in paths, but nginx's function reads what forms write.
  const [kept] = string.gsub(path, '%+', '%%2B');
  ngx.req.set_uri(ngx.unescape_uri(kept), false);
  return true;
}
