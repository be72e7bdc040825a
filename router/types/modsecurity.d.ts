/** libmodsecurity's functions (its modsecurity/*.h), as far as src/nginx/modsecurity.ts and src/threads/firewall.ts call them. */

/** @noSelf */
declare interface FFI {
  load(name: string): ModSecurityLibrary;
  /** Text that ends with a zero byte. */
  string(data: FFIPointer): string;
}

/** @noSelf */
declare interface ModSecurityLibrary {
  msc_init(): FFIPointer;
  msc_set_log_cb(library: FFIPointer, callback: FFIPointer): void;
  msc_create_rules_set(): FFIPointer;
  msc_rules_add(rules: FFIPointer, text: string, error: FFICells<FFIPointer>): number;
  msc_rules_add_file(rules: FFIPointer, path: string, error: FFICells<FFIPointer>): number;
  msc_rules_merge(to: FFIPointer, from: FFIPointer, error: FFICells<FFIPointer>): number;
  msc_rules_cleanup(rules: FFIPointer): number;
  msc_new_transaction_with_id(
    library: FFIPointer,
    rules: FFIPointer,
    id: string,
    data: undefined,
  ): FFIPointer;
  msc_process_connection(
    transaction: FFIPointer,
    client: string,
    clientPort: number,
    server: string,
    serverPort: number,
  ): number;
  msc_process_uri(transaction: FFIPointer, uri: string, method: string, version: string): number;
  msc_add_n_request_header(
    transaction: FFIPointer,
    name: string,
    nameLength: number,
    value: string,
    valueLength: number,
  ): number;
  msc_process_request_headers(transaction: FFIPointer): number;
  msc_append_request_body(transaction: FFIPointer, bytes: string, length: number): number;
  msc_request_body_from_file(transaction: FFIPointer, path: string): number;
  msc_process_request_body(transaction: FFIPointer): number;
  msc_intervention(transaction: FFIPointer, intervention: FFICells<ModSecurityIntervention>): number;
  msc_intervention_cleanup(intervention: FFICells<ModSecurityIntervention>): void;
  msc_transaction_cleanup(transaction: FFIPointer): void;
}

declare interface ModSecurityIntervention {
  status: number;
  pause: number;
  url: FFIPointer | undefined;
  log: FFIPointer | undefined;
  disruptive: number;
}

/** @noSelf */
declare interface ThreadFunctions {
  setpriority(which: number, who: number, priority: number): number;
}
