/** The printed format of the `chatroom` contract (C11), byte for byte. */
import type { Entry } from './entry.ts'

/** What could end a line or a bracket, or steer a terminal; and the sign that escapes it. */
// oxlint-disable-next-line no-control-regex
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\]\\]/
const unsafeEach = new RegExp(unsafe, 'g')
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g

const shortEscapes: Record<string, string> = { '\r': '\\r', '\n': '\\n', '\t': '\\t', ']': '\\]', '\\': '\\\\' }

/**
 * `[timestamp] [LEVEL] [PID:n] [userId] [roomId] - message`, userId and roomId where there are any, and below it the stack, each line
 * indented by four. Ends with LF. A line that begins with a bracket always begins an entry.
 */
export function formatLine(entry: Entry, pid: number): string {
  const { at, level, text, userId, roomId, stack } = entry
  const user = userId === null ? '' : ` [${escape(userId)}]`
  const room = roomId === null ? '' : ` [${escape(roomId)}]`
  const head = `[${new Date(at).toISOString()}] [${level.toUpperCase()}] [PID:${pid}]${user}${room} - ${escape(text)}\n`
  return stack === null ? head : head + indent(stack)
}

function escape(text: string): string {
  return unsafe.test(text) ? text.replace(unsafeEach, escapeOne) : text
}

function escapeOne(sign: string): string {
  return shortEscapes[sign] ?? `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function indent(stack: string): string {
  return stack
    .split(/\r\n|[\r\n]/)
    .map((line) => `    ${line.replace(controls, escapeOne)}\n`)
    .join('')
}
