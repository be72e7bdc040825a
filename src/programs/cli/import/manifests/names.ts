/** Names of objects that are printed: what was made of something has a `~` in its name, which no object may have. */
import { sha256 } from '#net/sha256.ts';

const longest = 253;

/** An ALB2 stays called as it is: as an ALB it is of another kind. */
export function validName(name: string): string {
  const plain = name
    .replace(/~alb2$/, '')
    .replaceAll('~', '-')
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-')
    .replace(/\.(?=[.-]|$)|(?<=^|-)\./g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return plain.length <= longest
    ? plain
    : `${plain.slice(0, longest - 9).replace(/[^a-z0-9]+$/, '')}-${hash(name)}`;
}

function hash(text: string): string {
  return sha256(text).slice(0, 8);
}
