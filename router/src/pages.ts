/** What clients are shown in place of an answer that says that something went wrong. */
import type { GatewayErrorPage } from '../../src/intent/gateway-policy.ts';

/** nginx is told of a page that it has to ask for by this status, which no registry has. */
export const pageStatus = 599;

/** The first page for such a status; `undefined`: the answer stays. */
export function pageOf(errors: readonly GatewayErrorPage[], status: number): GatewayErrorPage | undefined {
  if (status < 400) return undefined;
  for (let at = 0; at < errors.length; at++) {
    const codes = errors[at]!.codes;
    for (let index = 0; index < codes.length; index++) if (codes[index] === status) return errors[at];
  }
  return undefined;
}

/** Whether some page has to be asked for. */
export function asksForPages(errors: readonly GatewayErrorPage[]): boolean {
  for (let at = 0; at < errors.length; at++) if (errors[at]!.backend !== undefined) return true;
  return false;
}
