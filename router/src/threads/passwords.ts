/** Hashes passwords as the C library does, in a thread of nginx with a Lua of its own, which gives way to whoever serves requests. */

const ffi = require('ffi') as {
  readonly C: { nice(this: void, by: number): number };
  cdef(this: void, text: string): void;
  load(this: void, name: string): unknown;
  new: (this: void, type: string) => unknown;
  string(this: void, data: unknown): string;
};

ffi.cdef(`
int nice(int by);
char *crypt_r(const char *phrase, const char *setting, void *data);
`);
const library = ffi.load('libcrypt.so.1') as {
  crypt_r(this: void, phrase: string, setting: string, data: unknown): unknown;
};
/** As large as the library wants it. */
const data = ffi.new('char[32768]');

/** `setting` is a hash: its kind, cost and salt are taken. Something that begins with `*`: it can't be made. */
export function hashed(this: void, password: string, setting: string): string {
  // Of this thread alone, on Linux.
  ffi.C.nice(19);
  const made = library.crypt_r(password, setting, data);
  return made === undefined ? '*' : ffi.string(made);
}
