/** Where changes of headers go: into the request, or into the answer; nothing that would begin another header, or another body. */
import type { HeaderSink } from '../main.ts';

const requestAdditions = require('ngx.req') as {
  readonly add_header: (this: void, name: string, value: string) => void;
};
const answerAdditions = require('ngx.resp') as {
  readonly add_header: (this: void, name: string, value: string) => void;
};

/** What a body is read by: said otherwise, what follows it would be read as another request. */
const framing = ['content-length', 'transfer-encoding'];

/** A line break in a name or a value would begin another header. Checked when it was read, and once more. */
export function isSafe(this: void, name: string, value: string): boolean {
  const [inName] = string.find(name, "[^%w!#$%%&'*+.^_`|~-]");
  const [inValue] = string.find(value, '[%z\r\n]');
  return inName === undefined && inValue === undefined && name !== '';
}

export function mayChange(this: void, name: string, value: string): boolean {
  return isSafe(name, value) && !framing.includes(name.toLowerCase());
}

export const toRequest: HeaderSink = {
  set: (name, value) => {
    if (mayChange(name, value)) ngx.req.set_header(name, value);
  },
  add: (name, value) => {
    if (mayChange(name, value)) requestAdditions.add_header(name, value);
  },
  remove: (name) => {
    if (mayChange(name, '')) ngx.req.clear_header(name);
  },
};

export const toAnswer: HeaderSink = {
  set: (name, value) => {
    if (mayChange(name, value)) ngx.header[name] = value;
  },
  add: (name, value) => {
    if (mayChange(name, value)) answerAdditions.add_header(name, value);
  },
  remove: (name) => {
    if (mayChange(name, '')) ngx.header[name] = undefined;
  },
};
