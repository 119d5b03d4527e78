/** A process that writes to its standard output each line that it is given, says so, and ends with its input. */
import { createInterface } from 'node:readline'
import { systemClock } from '../clock.ts'
import { makeEntry } from './entry.ts'
import { openTerminal } from './terminal.ts'

const terminal = openTerminal({}, systemClock)
const entry = makeEntry(0, 'info', '')
for await (const line of createInterface(process.stdin)) {
  terminal.write(`${line}\n`, entry)
  process.stderr.write('.')
}
await terminal.close()
process.exit(0)
