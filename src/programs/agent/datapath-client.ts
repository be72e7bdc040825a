/** The datapath's HTTP interface, from the agent's side. */
import { Agent, request } from 'node:http';
import type {
  DatapathStatus,
  EndpointStatus,
  EngineProblem,
  IntentAnswer,
  NamesAnswer,
  Refusal,
} from '#intent/handover.ts';
import type { IntentChange } from '#intent/node.ts';

export type DatapathClient = {
  /** `refused` when the change does not follow what the datapath holds. Throws when it can't be reached. */
  send(change: IntentChange): Promise<{ answer: IntentAnswer } | { refused: Refusal }>;
  /** With `after`, waits until the revision differs, at most `waitSeconds`. `told`: the generation that was handed over last; 0: none was. */
  status(after?: number, waitSeconds?: number, told?: number): Promise<DatapathStatus>;
  /** Everything that engines can't hold now. */
  problems(): Promise<readonly EngineProblem[]>;
  /** What pods were told of names. With `known`, waits until there is more, at most `waitSeconds`; undefined: it learns none. */
  names(
    known?: Pick<NamesAnswer, 'instance' | 'revision'>,
    waitSeconds?: number,
  ): Promise<NamesAnswer | undefined>;
  /** Every pod interface that is wired. */
  endpoints(): Promise<readonly EndpointStatus[]>;
  close(): void;
};

/** Loads of a whole cluster take the engines a while; a datapath that hangs longer is as good as gone. */
const timeoutMs = 60_000;

export function createDatapathClient(socketPath: string): DatapathClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const call = (method: string, path: string, body?: string): Promise<{ code: number; text: string }> =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const outgoing = request({ socketPath, agent, method, path, headers, timeout: timeoutMs }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ code: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
        );
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  const get = async <T>(path: string): Promise<T> => {
    const { code, text } = await call('GET', path);
    if (code !== 200) throw new Error(`datapath answered ${code}: ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  };

  return {
    async send(change) {
      const { code, text } = await call('POST', '/v1/intent', JSON.stringify(change));
      if (code === 200) return { answer: JSON.parse(text) as IntentAnswer };
      if (code === 409) return { refused: JSON.parse(text) as Refusal };
      throw new Error(`datapath answered ${code}: ${text.slice(0, 500)}`);
    },
    status(after, waitSeconds = 20, told = 0) {
      const query = after === undefined ? '' : `?after=${after}&wait=${waitSeconds}&told=${told}`;
      return get(`/v1/status${query}`);
    },
    async names(known, waitSeconds = 20) {
      const query =
        known === undefined
          ? '?wait=0'
          : `?instance=${known.instance}&after=${known.revision}&wait=${waitSeconds}`;
      const { code, text } = await call('GET', `/v1/names${query}`);
      if (code === 404) return undefined;
      if (code !== 200) throw new Error(`datapath answered ${code}: ${text.slice(0, 500)}`);
      return JSON.parse(text) as NamesAnswer;
    },
    problems: () => get('/v1/problems'),
    endpoints: () => get('/v1/endpoints'),
    close: () => agent.destroy(),
  };
}
