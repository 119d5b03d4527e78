/** A process of its own that opens the directory it is told, makes a room, prints its journal's number and stays. */
import { makeRoom, say } from '../contract/entries.ts'
import { openWriter } from '../contract/harness.ts'
import { openEmbeddedStorage } from './index.ts'

const storage = await openEmbeddedStorage({ dataDir: process.argv[2] ?? '' })
const writer = await openWriter(storage)
await say(writer, await makeRoom(writer, [1]), 1, 'kept')
process.stdout.write(`${writer.journal}\n`)
setInterval(() => undefined, 1_000)
