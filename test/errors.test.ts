import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ChatError, errorTable, type ErrorCode } from '../server/core/errors.ts'
import { endings } from '../server/core/session.ts'
import { chatroomShape } from '../server/dialects/chatroom/problems.ts'
import { feedShape } from '../server/dialects/feed/problems.ts'
import { groupwareShape } from '../server/dialects/groupware/problems.ts'
import { guildShape } from '../server/dialects/guild/problems.ts'
import type { ErrorShape } from '../server/http/problems.ts'
import { readTables } from './documents.ts'

const document = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
const [errors, closes] = readTables(document)
const codes = Object.keys(errorTable) as ErrorCode[]

function statusAt(shape: ErrorShape, path: string, code: ErrorCode): number | undefined {
  return shape.toAnswer({ kind: 'thrown', error: new ChatError(code) }, { method: 'POST', path })?.status
}

describe('docs/errors.md', () => {
  it('has a row for each code, in the order of the table, and no other', () => {
    expect(errors!.map((row) => row.code)).toEqual(codes)
  })

  it.each(codes)('tells the kind and the text of %s', (code) => {
    const row = errors!.find((one) => one.code === code)
    expect(row).toMatchObject(errorTable[code])
    expect(row!.when).not.toBe('')
  })

  it.each(codes)('[A3] tells the status of %s at each door', (code) => {
    const row = errors!.find((one) => one.code === code)
    const statuses = [
      statusAt(feedShape, '/api/v1/chat/rooms', code),
      statusAt(guildShape, '/servers/', code),
      statusAt(groupwareShape, '/api/chats', code),
      statusAt(chatroomShape, '/api/chatrooms', code),
    ]
    expect([row!.feed, row!.guild, row!.groupware, row!.chatroom].map(Number)).toEqual(statuses)
  })

  it('[A15] tells the code and reason of each ending', () => {
    for (const { code, text } of Object.values(endings)) {
      expect(closes!.find((row) => row.code === String(code))?.reason, `${code}`).toContain(text)
    }
  })
})
