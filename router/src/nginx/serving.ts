/** A request with all that was found of it: what the steps of a rule with filters work on. */
import type { RouterAction, RouterListener, RouterRule, RouterTable } from '../main.ts';
import type { Visit } from './visits.ts';

export type Serving = {
  readonly pointer: FFIPointer;
  readonly table: RouterTable;
  readonly listener: RouterListener;
  /** Key in `ports`. */
  readonly port: string;
  readonly rule: RouterRule;
  readonly action: RouterAction;
  readonly visit: Visit;
  /** The path as the client sent it, and as it was matched. */
  readonly written: string;
  readonly path: string;
  readonly target: string;
  readonly host: string;
  readonly method: string;
};
