/** External authorization by gRPC: `envoy.service.auth.v3.Authorization/Check`, as the specification names it. */
import { bytesField, eachField, grpcFrame, grpcMessage, mapEntry, numberField } from './protobuf.ts';

export const checkPath = '/envoy.service.auth.v3.Authorization/Check';

/** What an authorization service is told of a request. Names of headers in lower case, several lines of one joined. */
export type CheckedRequest = {
  readonly id: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  /** Path and query. */
  readonly target: string;
  readonly host: string;
  readonly scheme: string;
  readonly protocol: string;
  readonly body: string | undefined;
  readonly address: string;
};

export type Verdict = {
  readonly allowed: boolean;
  /** Of the answer to the client, where it isn't; 403 unless the service says another. */
  readonly status: number;
  /** Set in the request where it is allowed, in the answer where it isn't. */
  readonly headers: readonly { readonly name: string; readonly value: string; readonly append: boolean }[];
  /** Taken out of the request. */
  readonly remove: readonly string[];
  /** Set in the backend's answer. */
  readonly answerHeaders: readonly {
    readonly name: string;
    readonly value: string;
    readonly append: boolean;
  }[];
  readonly body: string;
};

/** CheckRequest, in a frame. */
export function checkRequest(request: CheckedRequest): string {
  let http = bytesField(1, request.id) + bytesField(2, request.method);
  for (const [name, value] of pairs(request.headers)) http += mapEntry(3, name, value);
  http += bytesField(4, request.target) + bytesField(5, request.host) + bytesField(6, request.scheme);
  http += bytesField(10, request.protocol);
  if (request.body !== undefined) http += numberField(9, request.body.length) + bytesField(11, request.body);
  const source = bytesField(1, bytesField(1, bytesField(2, request.address)));
  const attributes = bytesField(1, source) + bytesField(4, bytesField(2, http));
  return grpcFrame(bytesField(1, attributes));
}

/** Of a CheckResponse in a frame; `undefined`: the service said nothing that can be understood. */
export function readVerdict(body: string): Verdict | undefined {
  const message = grpcMessage(body);
  if (message === undefined) return undefined;
  let code = 0;
  let status = 403;
  let text = '';
  const headers: Header[] = [];
  const answerHeaders: Header[] = [];
  const remove: string[] = [];
  let understood = true;
  const inside = (content: string, take: (this: void, number: number, content: string) => void) => {
    if (!eachField(content, take)) understood = false;
  };
  inside(message, (field, content) => {
    if (field === 1) {
      inside(content, (inner, value) => {
        if (inner === 1) code = tonumber(value)!;
      });
    } else if (field === 2) {
      inside(content, (inner, value) => {
        if (inner === 1) {
          inside(value, (_code, number) => {
            status = tonumber(number)!;
          });
        } else if (inner === 2) headers.push(readHeader(value));
        else if (inner === 3) text = value;
      });
    } else if (field === 3) {
      inside(content, (inner, value) => {
        if (inner === 2) headers.push(readHeader(value));
        else if (inner === 5) remove.push(value);
        else if (inner === 6) answerHeaders.push(readHeader(value));
      });
    }
  });
  if (!understood) return undefined;
  const known = status >= 200 && status <= 599 ? status : 403;
  return { allowed: code === 0, status: known, headers, remove, answerHeaders, body: text };
}

type Header = { name: string; value: string; append: boolean };

/** HeaderValueOption. */
function readHeader(message: string): Header {
  const header: Header = { name: '', value: '', append: false };
  eachField(message, (field, content) => {
    if (field === 1) {
      eachField(content, (inner, value) => {
        if (inner === 1) header.name = value;
        else if (inner === 2 || inner === 3) header.value = value;
      });
    } else if (field === 2) {
      eachField(content, (inner, value) => {
        if (inner === 1) header.append = value === '1';
      });
    }
  });
  return header;
}
