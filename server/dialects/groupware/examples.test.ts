/** The contract's examples, run by curl as printed (but for the port) on a fresh database in development [M2]. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openGroupware, type Groupware } from './groupware.fixture.ts'
import { message } from './wire.ts'

const start = `curl -X POST \\
  -H "Content-Type: application/json" \\
  -d '{"targetUserId": 42}' \\
  http://localhost:3000/api/chats/start`

const send = `curl -X POST \\
  -H "Content-Type: application/json" \\
  -d '{"content":"안녕하세요"}' \\
  http://localhost:3000/api/chats/123/message`

const attach = `curl -X POST \\
  -F file=@./image.png \\
  -F content='설명 텍스트' \\
  http://localhost:3000/api/chats/123/attach`

const read = `curl -X POST \\
  -H "Content-Type: application/json" \\
  -d '{"lastMessageId": 9999}' \\
  http://localhost:3000/api/chats/123/read`

/** One pixel. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

let door: Groupware
let directory: string

beforeEach(async () => {
  door = await openGroupware({ hasOrganisation: true })
  directory = await mkdtemp(join(tmpdir(), 'madang-examples-'))
  await writeFile(join(directory, 'image.png'), png)
})
afterEach(async () => {
  await door.stop()
  await rm(directory, { recursive: true })
})

/** What the example prints. */
function run(example: string): Promise<unknown> {
  const words = example.replace('localhost:3000', `localhost:${door.server.port}`)
  const child = spawn('bash', ['-c', words], {
    cwd: directory,
    env: { PATH: process.env['PATH'], NO_PROXY: '*', LC_ALL: 'C.UTF-8' },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  return new Promise((resolve) => child.on('close', () => resolve(JSON.parse(output))))
}

const hasCurl = spawnSync('curl', ['--version']).status === 0
const mustRun = process.env['CI'] === 'true'

describe.skipIf(!hasCurl && !mustRun)('curl', () => {
  test('[M2] the examples run as printed, one after the other', async () => {
    expect(await run(start)).toEqual({ success: true, chatId: 1 })
    const sent = (await run(send)) as { success: true; data: { message: unknown } }
    expect(sent.success).toBe(true)
    expect(message.parse(sent.data.message)).toMatchObject({
      chat_id: 123,
      sender_id: 1,
      sender_name: '박지민',
      content: '안녕하세요',
    })
    const attached = (await run(attach)) as typeof sent
    const { attachments, ...rest } = message.parse(attached.data.message)
    expect(rest).toMatchObject({ chat_id: 123, sender_id: 1, content: '설명 텍스트' })
    expect(attachments).toMatchObject([{ message_id: rest.id, file_name: 'image.png', mime_type: 'image/png', size: png.length }])
    const file = await fetch(door.server.url + attachments![0]!.file_path)
    expect(Buffer.from(await file.arrayBuffer())).toEqual(png)
    expect(await run(read)).toEqual({ success: true })
    const { data } = await door.done('GET /api/chats')
    expect(data).toMatchObject([
      { id: 123, last_content: '설명 텍스트', unread_count: 0, member_count: 1 },
      { id: 1, is_group: false, other_user_id: 42, other_user_name: 'user42' },
    ])
  })

  test.each(Object.entries({ start, send, attach, read }))(
    '[M2] %s works as the first thing that a fresh database sees',
    async (_name, example) => {
      expect(await run(example)).toMatchObject({ success: true })
    },
  )
})
