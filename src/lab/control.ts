/** Speaks to the supervisor of a lab at its control socket. */
import { request } from 'node:http';
import { type LabStatus, labFiles } from './lab.ts';

/** What the supervisor says; undefined when none runs. */
export async function labStatus(name: string): Promise<LabStatus | undefined> {
  try {
    return (await control(name, 'GET', '/status')) as LabStatus;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET') return undefined;
    throw error;
  }
}

/** Sends one request (supervisor/control.ts); throws what the supervisor refuses, or the socket's error when none runs. */
export function control(name: string, method: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: labFiles(name).control, method, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => {
        const answer = JSON.parse(body) as { readonly error?: string };
        if (response.statusCode === 200) resolve(answer);
        else reject(new Error(answer.error ?? `status ${response.statusCode}`));
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}
