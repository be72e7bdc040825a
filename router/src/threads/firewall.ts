/**
 * Looks at requests by libmodsecurity, in a thread of nginx with a Lua of its own: it takes a millisecond or some, in which nobody else in the
 * worker would be served. It calls back with what it found, which compiled code can't be called from: nothing in here is ever compiled.
 */

/** Both sides of the call; numbers are addresses. */
export type Question = {
  readonly rules: number;
  /** An int that is set to 0 when the rules are in use no more, whether anybody still waits for the answer or not. */
  readonly busy: number;
  readonly client: string;
  /** Marks where a line stops being ModSecurity's own words. */
  readonly server: string;
  readonly target: string;
  readonly method: string;
  /** `1.1`. */
  readonly version: string;
  /** Name, value, name, value… */
  readonly headers: readonly string[];
  readonly text?: string | undefined;
  readonly path?: string | undefined;
};

export type Finding = {
  /** Of the answer; 0: it may pass. */
  readonly status: number;
  /** What ModSecurity said, a line a rule. */
  readonly lines: readonly string[];
  /** It could not be looked at. */
  readonly failure?: string | undefined;
};

const ffi = require('ffi') as FFI;

ffi.cdef(`
typedef struct { int status; int pause; char *url; char *log; int disruptive; } netloom_intervention;
int setpriority(int which, unsigned int who, int priority);
void *msc_init(void);
void msc_set_log_cb(void *library, void (*callback)(void *, const void *));
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

type Loaded = {
  readonly library: ModSecurityLibrary;
  readonly security: FFIPointer;
  /** Kept: without it the callback would be collected. */
  readonly callback: FFIPointer;
  readonly intervention: FFICells<ModSecurityIntervention>;
};

const linesLimit = 50;
/**
 * Nice value: it gives way to whoever serves requests, and where those leave nothing it still has a thirtieth of the processor. At 5 somebody without a
 * firewall waited for it one time in a hundred, four times as long as alone; at 13 twice (bench tenants).
 */
const niceness = 15;
let lines: string[] = [];
let loaded: Loaded | undefined;

export function inspected(this: void, question: Question): Finding {
  const [made, value] = pcall(look, question);
  const busy = ffi.cast('int *', question.busy as unknown as FFIPointer) as unknown as FFICells<number>;
  busy[0] = 0;
  return made ? (value as Finding) : { status: 0, lines: [], failure: tostring(value) };
}

function look(this: void, question: Question): Finding {
  const { library, security } = load();
  lines = [];
  const rules = ffi.cast('void *', question.rules as unknown as FFIPointer);
  const transaction = library.msc_new_transaction_with_id(security, rules, 'netloom', undefined);
  library.msc_process_connection(transaction, question.client, 0, question.server, 0);
  library.msc_process_uri(transaction, question.target, question.method, question.version);
  const { headers, text, path } = question;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name, value] = [headers[at]!, headers[at + 1]!];
    library.msc_add_n_request_header(transaction, name, name.length, value, value.length);
  }
  library.msc_process_request_headers(transaction);
  let status = interventionOf(transaction);
  if (status === 0) {
    let read = 1;
    if (text !== undefined) read = library.msc_append_request_body(transaction, text, text.length);
    else if (path !== undefined) read = library.msc_request_body_from_file(transaction, path);
    library.msc_process_request_body(transaction);
    status = interventionOf(transaction);
    // What couldn't be looked at isn't known to be harmless.
    if (read < 1 && status === 0) status = 500;
  }
  library.msc_transaction_cleanup(transaction);
  return { status, lines };
}

/** Throws without the library. */
function load(this: void): Loaded {
  if (loaded !== undefined) return loaded;
  // Of this thread alone, on Linux.
  (ffi.C as unknown as ThreadFunctions).setpriority(0, 0, niceness);
  const library = ffi.load('libmodsecurity.so.3') as ModSecurityLibrary;
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

jit.off(inspected);
jit.off(look);
jit.off(load);
jit.off(hear);
jit.off(interventionOf);
