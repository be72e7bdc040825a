/** Lists of names in sentences. */

/** Names that a message lists; a thousand more are a number. */
const listed = 5;

/** `a, b and 3 more`. */
export function listing(names: readonly string[]): string {
  const more = names.length - listed;
  return more > 0 ? `${names.slice(0, listed).join(', ')} and ${more} more` : names.join(', ');
}
