/** What of SecLang a tenant's own rules may use: what looks at a request, and decides about that request alone. */

/** `named`: may have `:NAME` behind it; `selected`: must. */
export const variables: Readonly<Record<string, 'plain' | 'named'>> = {
  ARGS: 'named',
  ARGS_COMBINED_SIZE: 'plain',
  ARGS_GET: 'named',
  ARGS_GET_NAMES: 'named',
  ARGS_NAMES: 'named',
  ARGS_POST: 'named',
  ARGS_POST_NAMES: 'named',
  FILES: 'named',
  FILES_COMBINED_SIZE: 'plain',
  FILES_NAMES: 'named',
  FILES_SIZES: 'named',
  MATCHED_VAR: 'plain',
  MATCHED_VAR_NAME: 'plain',
  QUERY_STRING: 'plain',
  REMOTE_ADDR: 'plain',
  REQUEST_BASENAME: 'plain',
  REQUEST_BODY: 'plain',
  REQUEST_BODY_LENGTH: 'plain',
  REQUEST_COOKIES: 'named',
  REQUEST_COOKIES_NAMES: 'named',
  REQUEST_FILENAME: 'plain',
  REQUEST_HEADERS: 'named',
  REQUEST_HEADERS_NAMES: 'named',
  REQUEST_LINE: 'plain',
  REQUEST_METHOD: 'plain',
  REQUEST_PROTOCOL: 'plain',
  REQUEST_URI: 'plain',
  REQUEST_URI_RAW: 'plain',
  TX: 'named',
};

/** By name in lower case: what stands behind it. */
export const operators: Readonly<
  Record<
    string,
    { readonly name: string; readonly argument: 'regex' | 'text' | 'number' | 'addresses' | 'bytes' | 'none' }
  >
> = {
  rx: { name: 'rx', argument: 'regex' },
  streq: { name: 'streq', argument: 'text' },
  contains: { name: 'contains', argument: 'text' },
  containsword: { name: 'containsWord', argument: 'text' },
  beginswith: { name: 'beginsWith', argument: 'text' },
  endswith: { name: 'endsWith', argument: 'text' },
  within: { name: 'within', argument: 'text' },
  pm: { name: 'pm', argument: 'text' },
  eq: { name: 'eq', argument: 'number' },
  ge: { name: 'ge', argument: 'number' },
  gt: { name: 'gt', argument: 'number' },
  le: { name: 'le', argument: 'number' },
  lt: { name: 'lt', argument: 'number' },
  ipmatch: { name: 'ipMatch', argument: 'addresses' },
  validatebyterange: { name: 'validateByteRange', argument: 'bytes' },
  detectsqli: { name: 'detectSQLi', argument: 'none' },
  detectxss: { name: 'detectXSS', argument: 'none' },
  unconditionalmatch: { name: 'unconditionalMatch', argument: 'none' },
  validateurlencoding: { name: 'validateUrlEncoding', argument: 'none' },
  validateutf8encoding: { name: 'validateUtf8Encoding', argument: 'none' },
};

export const transformations: readonly string[] = [
  'none',
  'base64Decode',
  'base64DecodeExt',
  'cmdLine',
  'compressWhitespace',
  'cssDecode',
  'escapeSeqDecode',
  'hexDecode',
  'hexEncode',
  'htmlEntityDecode',
  'jsDecode',
  'length',
  'lowercase',
  'md5',
  'normalisePath',
  'normalisePathWin',
  'normalizePath',
  'normalizePathWin',
  'removeComments',
  'removeCommentsChar',
  'removeNulls',
  'removeWhitespace',
  'replaceComments',
  'replaceNulls',
  'sha1',
  'trim',
  'trimLeft',
  'trimRight',
  'uppercase',
  'urlDecode',
  'urlDecodeUni',
  'utf8toUnicode',
];

/** Scores that the Core Rule Set adds up: they may be raised, never lowered or set. */
export const scores: readonly string[] = [
  'anomaly_score_pl1',
  'anomaly_score_pl2',
  'anomaly_score_pl3',
  'anomaly_score_pl4',
];

/** How much one adds, by severity as the Core Rule Set has it. */
export const scoreMacros: Readonly<Record<string, number>> = {
  '%{tx.critical_anomaly_score}': 5,
  '%{tx.error_anomaly_score}': 4,
  '%{tx.warning_anomaly_score}': 3,
  '%{tx.notice_anomaly_score}': 2,
};

export const severities: Readonly<Record<string, number>> = {
  EMERGENCY: 0,
  ALERT: 1,
  CRITICAL: 2,
  ERROR: 3,
  WARNING: 4,
  NOTICE: 5,
  INFO: 6,
  DEBUG: 7,
};

export const refusedActions: Readonly<Record<string, string>> = {
  allow: 'exclusions of the WAFPolicy, or mode Off',
  ctl: 'exclusions of the WAFPolicy',
  exec: 'nothing: rules start no programs',
  redirect: 'deny, or a filter of the route',
  skip: 'chain',
  skipafter: 'chain',
  initcol: 'rateLimits of a TrafficPolicy',
};

export const limits = {
  /** Of the whole text. */
  characters: 64 * 1024,
  rules: 200,
  chain: 8,
  /** Ids that are a tenant's to give; the Core Rule Set begins far above. */
  ids: { first: 1, last: 99_999 },
  text: 512,
} as const;
