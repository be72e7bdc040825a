/** Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), as far as authorization services need it; strings are bytes. */

const lengthDelimited = 2;

/** A field with text, bytes or a message in it. */
export function bytesField(number: number, content: string): string {
  return varint(number * 8 + lengthDelimited) + varint(content.length) + content;
}

/** A field with a whole number from 0 to 2^53. */
export function numberField(number: number, value: number): string {
  return varint(number * 8) + varint(value);
}

/** An entry of a map from text to text. */
export function mapEntry(number: number, key: string, value: string): string {
  return bytesField(number, bytesField(1, key) + bytesField(2, value));
}

/** Calls with each field: its bytes, or its number as text. False: it is no message, or has been cut. */
export function eachField(
  message: string,
  take: (this: void, number: number, content: string) => void,
): boolean {
  let at = 0;
  while (at < message.length) {
    const [tag, behindTag] = readVarint(message, at);
    if (behindTag < 0) return false;
    const number = Math.floor(tag / 8);
    const type = tag % 8;
    const [value, behind] =
      type === 0 || type === lengthDelimited ? readVarint(message, behindTag) : [0, behindTag];
    if (behind < 0) return false;
    at = behind;
    if (type === 0) {
      take(number, `${value}`);
    } else {
      const length = type === lengthDelimited ? value : type === 1 ? 8 : type === 5 ? 4 : -1;
      if (length < 0 || at + length > message.length) return false;
      if (type === lengthDelimited) take(number, message.slice(at, at + length));
      at += length;
    }
  }
  return true;
}

/** A message as gRPC sends it: not compressed, with its length in four bytes. */
export function grpcFrame(message: string): string {
  const length = message.length;
  return (
    string.char(
      0,
      Math.floor(length / 16_777_216) % 256,
      Math.floor(length / 65_536) % 256,
      Math.floor(length / 256) % 256,
      length % 256,
    ) + message
  );
}

/** The first message of a gRPC body; `undefined`: there is none whole, or it is compressed. */
export function grpcMessage(body: string): string | undefined {
  if (body.length < 5 || body.charCodeAt(0) !== 0) return undefined;
  let length = 0;
  for (let at = 1; at < 5; at++) length = length * 256 + body.charCodeAt(at);
  return body.length < 5 + length ? undefined : body.slice(5, 5 + length);
}

function varint(value: number): string {
  let rest = value;
  let bytes = '';
  while (rest >= 128) {
    bytes += string.char((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return bytes + string.char(rest);
}

/** The number and the index behind it; -1: it has been cut. */
function readVarint(text: string, from: number): LuaMultiReturn<[number, number]> {
  let value = 0;
  let factor = 1;
  for (let at = from; at < text.length && at < from + 10; at++) {
    const byte = text.charCodeAt(at);
    value += (byte % 128) * factor;
    if (byte < 128) return $multi(value, at + 1);
    factor *= 128;
  }
  return $multi(0, -1);
}
