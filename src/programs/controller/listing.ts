/** Lists of names in sentences. */

/** Names that a message lists; a thousand more are a number. */
export const listed = 5;

/** `a, b and 3 more`. `count`: how many there are, where `names` are the first of them. */
export function listing(names: readonly string[], count = names.length): string {
  const more = count - listed;
  return more > 0 ? `${names.slice(0, listed).join(', ')} and ${more} more` : names.join(', ');
}
