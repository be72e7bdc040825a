/**
 * Sets of rules as libmodsecurity holds them, by FFI: nginx's own module of it is switched by location only and takes rules from its configuration
 * only. Loaded when the first policy asks for it. Requests are looked at in a thread (src/threads/firewall.ts), which is told where a set is.
 */
import { requestKey } from './request.ts';

const ffi = require('ffi') as FFI;

/** `address`: for the thread, as a number. */
export type RuleSet = { readonly rules: FFIPointer; readonly address: number };

ffi.cdef(`
void *msc_create_rules_set(void);
int msc_rules_add(void *rules, const char *text, const char **error);
int msc_rules_add_file(void *rules, const char *path, const char **error);
int msc_rules_merge(void *to, void *from, const char **error);
int msc_rules_cleanup(void *rules);
`);

const errors = ffi.new<FFIPointer>('const char *[1]');
let loaded: ModSecurityLibrary | undefined;

/** Throws without the library. */
function load(this: void): ModSecurityLibrary {
  if (loaded === undefined) loaded = ffi.load('libmodsecurity.so.3') as ModSecurityLibrary;
  return loaded;
}

/** `parts` in turn: text, files of rules, or other sets. Throws with what ModSecurity says of what it can't read. */
export function makeRuleSet(
  this: void,
  parts: readonly { readonly text?: string; readonly path?: string; readonly set?: RuleSet }[],
): RuleSet {
  const library = load();
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
  return { rules, address: requestKey(rules) };
}

/** Nobody may use it any more. */
export function dropRuleSet(this: void, set: RuleSet): void {
  load().msc_rules_cleanup(set.rules);
}
