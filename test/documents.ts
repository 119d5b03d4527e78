/** Reads what documents say, for the tests that hold them against the code. */

export type Row = Record<string, string>

/** Each table of a Markdown text, a row as its cells by the column's title; a cell that is code throughout, without its backticks. */
export function readTables(markdown: string): Row[][] {
  const tables = markdown.match(/(?:^\|.*\|\n)+/gm) ?? []
  return tables.map((table) => {
    const [titles, , ...rows] = table.trimEnd().split('\n').map(cellsOf)
    return rows.map((cells) => Object.fromEntries(titles!.map((title, column) => [title, cells[column] ?? ''])))
  })
}

function cellsOf(line: string): string[] {
  const cells = line.slice(1, -1).split(/(?<!\\)\|/)
  return cells.map((cell) => cell.trim().replace(/^`([^`]+)`$/, '$1'))
}
