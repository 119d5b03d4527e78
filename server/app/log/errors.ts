/** What was thrown, in words that hold no parameter's value (C11). */

/** An error's causes are followed so far. */
const causesMax = 4
/** And so much is kept of a message. */
const messageMax = 1_000

/**
 * Name, code, message and stack, and those of its causes. Engines, databases and Node quote values in their messages ("invalid input
 * syntax for type integer: "…""), so what stands in quotes is left out. What is no Error says its type alone.
 */
export function describeError(error: unknown): string {
  const parts: string[] = []
  for (let at = error, depth = 0; at !== undefined && depth < causesMax; depth++) {
    parts.push((depth === 0 ? '' : 'Caused by: ') + describeOne(at))
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join('\n')
}

function describeOne(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${error === null ? 'null' : typeof error}`
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  const message = error.message === '' ? '' : `: ${withoutQuoted(error.message).slice(0, messageMax)}`
  return [`${error.name}${code}${message}`, ...framesOf(error)].join('\n')
}

/** An apostrophe inside a word is no quote. */
const quotes = { '"': /"/g, '`': /`/g, "'": /(?<!\w)'|'(?!\w)/g }

function withoutQuoted(message: string): string {
  return Object.entries(quotes).reduce((text, [sign, quote]) => leaveOut(text, sign, quote), message)
}

/** From the first quote to the last, as a value may hold quotes itself; to the end, where one of them is not closed. */
function leaveOut(text: string, sign: string, quote: RegExp): string {
  const places = [...text.matchAll(quote)].map(({ index }) => index)
  if (places.length === 0) return text
  const rest = places.length % 2 === 0 ? text.slice(places.at(-1)! + 1) : ''
  return `${text.slice(0, places[0])}${sign}…${sign}${rest}`
}

/** The stack repeats name and message above its frames, and a message may look like a frame. */
function framesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message)
  const behind = start === -1 ? stack : stack.slice(start + message.length)
  return behind.split('\n').filter((line) => /^\s+at /.test(line))
}
