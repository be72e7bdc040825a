/** Rows of cells as lines of text in columns. */

/** Columns are as wide as their widest cell, two spaces apart; the last one isn't padded. */
export function columns(rows: readonly (readonly string[])[], indent = ''): string[] {
  const most = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: most }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map(
    (row) =>
      indent + row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '),
  );
}
