/** The grammars of names in the API: DNS labels and subdomains, qualified names, label values, port names, ConfigMap keys. */

export function isDns1123Label(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);
}

export function isDns1123Subdomain(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}

/** A DNS label that starts with a letter (RFC 1035): Service names. */
export function isDns1035Label(text: string): boolean {
  return text.length <= 63 && /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text);
}

/** A subdomain whose first label may be `*`: hosts of rules. */
export function isWildcardSubdomain(text: string): boolean {
  return text.startsWith('*.') && isDns1123Subdomain(text.slice(2));
}

/** A port's name (IANA_SVC_NAME, RFC 6335): at most 15, at least one letter, no doubled or outer dashes. */
export function portNameProblem(text: string): string | undefined {
  if (text.length > 15) return 'must be no more than 15 characters';
  if (!/^[-a-z0-9]+$/.test(text))
    return 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)';
  if (!/[a-z]/.test(text)) return 'must contain at least one letter (a-z)';
  if (text.includes('--')) return 'must not contain consecutive hyphens';
  if (text.startsWith('-') || text.endsWith('-')) return 'must not begin or end with a hyphen';
  return undefined;
}

const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const nameRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc')";

/** Why a text isn't a qualified name (`name` or `prefix/name`): label and annotation keys, finalizers, resources. */
export function labelKeyProblem(key: string): string | undefined {
  const parts = key.split('/');
  if (parts.length > 2) return `a qualified name ${nameRule}`;
  const [prefix, name] = parts.length === 2 ? (parts as [string, string]) : [undefined, key];
  if (prefix === '') return 'prefix part must be non-empty';
  if (prefix !== undefined && !isDns1123Subdomain(prefix)) {
    return "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')";
  }
  if (name === '') return 'name part must be non-empty';
  if (name!.length > 63) return 'name part must be no more than 63 characters';
  return qualifiedName.test(name!) ? undefined : nameRule;
}

/** Why a text isn't a label's value. */
export function labelValueProblem(value: string): string | undefined {
  if (value.length > 63) return 'must be no more than 63 characters';
  if (value === '' || qualifiedName.test(value)) return undefined;
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345')";
}

/** Why a text isn't a key of a ConfigMap or Secret. */
export function configKeyProblem(key: string): string | undefined {
  if (key.length > 253) return 'must be no more than 253 characters';
  if (key === '.' || key === '..' || key.startsWith('..')) return `must not start with '..' or be '.'`;
  if (/^[-._a-zA-Z0-9]+$/.test(key)) return undefined;
  return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name')";
}
