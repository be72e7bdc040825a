/** The CEL environment of CRD rules: cel-js with the libraries that Kubernetes 1.32 has. */
import { Environment } from '@marcbachmann/cel-js';
import { addComprehensions } from './comprehensions.ts';
import { addAddresses } from './library-addresses.ts';
import { addLists } from './library-lists.ts';
import { addStrings } from './library-strings.ts';
import { addValues } from './library-values.ts';

let base: Environment | undefined;

/** A fresh environment to add types and variables to. Optional types are on, literals must be of one type, as on the server. */
export function ruleEnvironment(): Environment {
  base ??= build();
  return base.clone();
}

function build(): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: true,
    unlistedVariablesAreDyn: false,
  });
  for (const add of [addLists, addStrings, addValues, addAddresses, addComprehensions]) add(environment);
  return environment;
}
