/** SecLang's text ─► directives: words with the line that they begin on. What the words mean isn't looked at. */

export type Directive = { readonly line: number; readonly name: string; readonly words: readonly string[] };

export type Directives =
  | { readonly directives: readonly Directive[] }
  | { readonly line: number; readonly problem: string };

/** Lines that end in a backslash go on in the next; words are parted by blanks, or stand in double quotes, where `\"` is a quote. */
export function directivesOf(text: string): Directives {
  const directives: Directive[] = [];
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    let whole = lines[at] ?? '';
    if (whole.trimStart().startsWith('#')) continue;
    while (whole.endsWith('\\') && at + 1 < lines.length) {
      at += 1;
      whole = `${whole.slice(0, -1)}${(lines[at] ?? '').trimStart()}`;
    }
    if (whole.trim() === '') continue;
    if (!/^[\t -~]*$/.test(whole)) return { line, problem: 'has characters other than printable ASCII' };
    const words = wordsOf(whole);
    if (words === undefined)
      return { line, problem: 'has a quote that isn’t closed, or a word that touches one' };
    const [name = '', ...rest] = words;
    directives.push({ line, name, words: rest });
  }
  return { directives };
}

function wordsOf(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const quoted = /^"((?:\\"|[^"])*)"(?=\s|$)/.exec(rest);
    const plain = /^[^\s"]+(?=\s|$)/.exec(rest);
    const found = quoted ?? plain;
    if (found === null) return undefined;
    words.push(quoted === null ? found[0] : (quoted[1] ?? '').replaceAll('\\"', '"'));
    rest = rest.slice(found[0].length).trimStart();
  }
  return words;
}
