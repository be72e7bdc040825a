/** What a command of the CLI is, as data: help, completion and reference pages are made from it. */

export type OptionSpec = {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** Name of the value in help: `--nodes K`. */
  readonly value?: string;
  readonly summary: string;
  readonly default?: string;
  readonly choices?: readonly string[];
  /** May be given several times: its value is one line for each. */
  readonly many?: true;
};

export type Options = Readonly<Record<string, OptionSpec>>;

export type Command = {
  /** Words that call it: `['lab', 'up']`. */
  readonly name: readonly string[];
  /** One sentence without a full stop. */
  readonly summary: string;
  /** Positional arguments in help: `IMAGE DIR|TAR`. */
  readonly operands?: string;
  /** Least and most number of them; default none. `all`: whatever follows is passed on, options too. */
  readonly operandCount?: readonly [number, number] | 'all';
  readonly options: Options;
  /** Of help: what the operand may be, and what that is. */
  readonly operandHelp?: () => Promise<readonly (readonly [string, string])[]>;
  /** It needs root, and says so at once. */
  readonly root?: boolean;
  readonly examples?: readonly string[];
  readonly load: () => Promise<{ readonly run: (invocation: Invocation) => Promise<number> }>;
};

export type Invocation = {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly operands: readonly string[];
  /** A line of the result, to standard output. */
  readonly out: (line: string) => void;
  /** A line of progress, to standard error. */
  readonly progress: (line: string) => void;
};

export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** What the user asked for can't be; the message is all that is printed. */
export class UsageError extends Error {}
