/**
 * libmodsecurity, called by FFI: nginx's own module of it is switched by location only and takes rules from its configuration only. Loaded when
 * the first policy asks for it. It calls back with what it found, which compiled code can't be called from: nothing in here is ever compiled.
 */

const ffi = require('ffi') as FFI;
export type Inspected = {
  /** Of the answer; 0: it may pass. */
  readonly status: number;
  /** What ModSecurity said, a line a rule. */
  readonly lines: readonly string[];
};

export type InspectedRequest = {
  readonly id: string;
  readonly client: string;
  /** Marks where a line stops being ModSecurity's own words. */
  readonly server: string;
  readonly target: string;
  readonly method: string;
  /** `1.1`. */
  readonly version: string;
  readonly headers: Record<string, string | string[]>;
  readonly body: { readonly text?: string; readonly path?: string } | undefined;
};

export type RuleSet = { readonly rules: FFIPointer };

type Loaded = {
  readonly library: ModSecurityLibrary;
  readonly security: FFIPointer;
  /** Kept: without it the callback would be collected. */
  readonly callback: FFIPointer;
  readonly intervention: FFICells<ModSecurityIntervention>;
};

ffi.cdef(`
typedef struct { int status; int pause; char *url; char *log; int disruptive; } netloom_intervention;
void *msc_init(void);
void msc_set_log_cb(void *library, void (*callback)(void *, const void *));
void *msc_create_rules_set(void);
int msc_rules_add(void *rules, const char *text, const char **error);
int msc_rules_add_file(void *rules, const char *path, const char **error);
int msc_rules_merge(void *to, void *from, const char **error);
int msc_rules_cleanup(void *rules);
void *msc_new_transaction_with_id(void *library, void *rules, const char *id, void *data);
int msc_process_connection(void *transaction, const char *client, int client_port, const char *server, int server_port);
int msc_process_uri(void *transaction, const char *uri, const char *method, const char *version);
int msc_add_n_request_header(void *transaction, const char *name, size_t name_length, const char *value, size_t value_length);
int msc_process_request_headers(void *transaction);
int msc_append_request_body(void *transaction, const char *bytes, size_t length);
int msc_request_body_from_file(void *transaction, const char *path);
int msc_process_request_body(void *transaction);
int msc_intervention(void *transaction, netloom_intervention *intervention);
void msc_intervention_cleanup(netloom_intervention *intervention);
void msc_transaction_cleanup(void *transaction);
`);

const errors = ffi.new<FFIPointer>('const char *[1]');
const linesLimit = 50;
let lines: string[] = [];
let loaded: Loaded | undefined;

/** Throws without the library. */
function load(this: void): Loaded {
  if (loaded !== undefined) return loaded;
  const library = ffi.load('libmodsecurity.so.3');
  const security = library.msc_init();
  const callback = ffi.cast('void (*)(void *, const void *)', hear);
  library.msc_set_log_cb(security, callback);
  const intervention = ffi.new<ModSecurityIntervention>('netloom_intervention[1]');
  loaded = { library, security, callback, intervention };
  return loaded;
}

/** Called by ModSecurity: an error that left here would end the worker. */
function hear(this: void, _data: FFIPointer, text: FFIPointer): void {
  if (lines.length < linesLimit) lines.push(ffi.string(ffi.cast('const char *', text)));
}

/** `parts` in turn: text, files of rules, or other sets. Throws with what ModSecurity says of what it can't read. */
export function makeRuleSet(
  this: void,
  parts: readonly { readonly text?: string; readonly path?: string; readonly set?: RuleSet }[],
): RuleSet {
  const { library } = load();
  const rules = library.msc_create_rules_set();
  for (const { text, path, set } of parts) {
    let code = 0;
    if (text !== undefined) code = library.msc_rules_add(rules, text, errors);
    else if (path !== undefined) code = library.msc_rules_add_file(rules, path, errors);
    else if (set !== undefined) code = library.msc_rules_merge(rules, set.rules, errors);
    if (code < 0) {
      const said = ffi.string(errors[0]!);
      library.msc_rules_cleanup(rules);
      error(said);
    }
  }
  return { rules };
}

export function dropRuleSet(this: void, set: RuleSet): void {
  load().library.msc_rules_cleanup(set.rules);
}

/** In one go, without a wait: it takes a fraction of a millisecond, or some with a large body. */
export function inspectRequest(this: void, set: RuleSet, request: InspectedRequest): Inspected {
  const { library, security } = load();
  lines = [];
  const transaction = library.msc_new_transaction_with_id(security, set.rules, request.id, undefined);
  library.msc_process_connection(transaction, request.client, 0, request.server, 0);
  library.msc_process_uri(transaction, request.target, request.method, request.version);
  for (const [name, value] of pairs(request.headers)) {
    if (typeof value === 'string') addHeader(library, transaction, name, value);
    else for (const one of value) addHeader(library, transaction, name, one);
  }
  library.msc_process_request_headers(transaction);
  let status = interventionOf(transaction);
  if (status === 0) {
    const body = request.body;
    let read = 1;
    if (body?.text !== undefined)
      read = library.msc_append_request_body(transaction, body.text, body.text.length);
    else if (body?.path !== undefined) read = library.msc_request_body_from_file(transaction, body.path);
    library.msc_process_request_body(transaction);
    status = interventionOf(transaction);
    // What couldn't be looked at isn't known to be harmless.
    if (read < 1 && status === 0) status = 500;
  }
  library.msc_transaction_cleanup(transaction);
  return { status, lines };
}

function addHeader(
  this: void,
  library: ModSecurityLibrary,
  transaction: FFIPointer,
  name: string,
  value: string,
): void {
  library.msc_add_n_request_header(transaction, name, name.length, value, value.length);
}

/** Status that ModSecurity wants to answer with; 0: none. */
function interventionOf(this: void, transaction: FFIPointer): number {
  const { library, intervention } = load();
  const one = intervention[0]!;
  one.status = 200;
  one.disruptive = 0;
  one.url = undefined;
  one.log = undefined;
  const disrupts = library.msc_intervention(transaction, intervention);
  const status = one.status;
  if (one.log !== undefined && lines.length <= linesLimit) lines.push(ffi.string(one.log));
  library.msc_intervention_cleanup(intervention);
  if (disrupts === 0) return 0;
  return status >= 400 && status < 600 ? status : 403;
}

jit.off(load);
jit.off(hear);
jit.off(makeRuleSet);
jit.off(dropRuleSet);
jit.off(inspectRequest);
jit.off(addHeader);
jit.off(interventionOf);
