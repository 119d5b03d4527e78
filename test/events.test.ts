import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ChatEvent } from '../server/core/events.ts'
import { fileOf, memberOf, messageOf } from '../server/core/model.fixture.ts'
import type { Message } from '../server/core/model.ts'
import { unknownUser } from '../server/core/user-cache.ts'
import { encodeEvent as encodeChatroom } from '../server/dialects/chatroom/encode.ts'
import { encodeEvent as encodeFeed } from '../server/dialects/feed/encode.ts'
import { groupwareFormat } from '../server/dialects/groupware/encode.ts'
import { plainFormat as guildFormat } from '../server/dialects/guild/encode.ts'
import { plainFormat as widgetFormat } from '../server/dialects/widget/encode.ts'
import { readTables } from './documents.ts'

const [rows] = readTables(readFileSync(new URL('../docs/events.md', import.meta.url), 'utf8'))

const base = { roomId: 3, seq: 9, stamp: { journal: 1, position: 4 }, userId: 7, actorId: 7, at: 0, user: unknownUser(7) }
const text = messageOf({ content: '안녕' })
const posted = (changes: Partial<Message>): ChatEvent => ({ ...base, type: 'message.posted', message: { ...text, ...changes } })
const read = (explicit: boolean, passed: boolean): ChatEvent => {
  return { ...base, type: 'read.advanced', explicit, passed, markerSeq: 9, messageId: 5 }
}

/** One for each row, in the table's order. */
const events: ChatEvent[] = [
  posted({}),
  posted({ content: '', attachments: [fileOf(1, 'a.png'), fileOf(2, 'b.png')] }),
  posted({ content: '', fileUrl: 'https://h/c.png' }),
  { ...base, type: 'message.edited', message: text },
  { ...base, type: 'message.deleted', message: { ...text, content: '', deletedAt: 1 } },
  { ...base, type: 'reaction.added', message: text, reaction: 'like' },
  { ...base, type: 'reaction.removed', message: text, reaction: 'like' },
  read(true, true),
  read(true, false),
  read(false, true),
  read(false, false),
  { ...base, type: 'member.added', member: memberOf(), together: [7] },
  { ...base, type: 'member.removed', joinedSeq: 1 },
  { ...base, type: 'role.changed', role: 'admin' },
  { ...base, type: 'name.changed', nickname: '김팀장' },
  { ...base, type: 'presence.changed', online: true },
  { ...base, type: 'room.created', memberIds: [7] },
  { ...base, type: 'room.updated', name: 'x', description: null },
  { ...base, type: 'room.deleted' },
]

interface Shown {
  type?: string
  data?: { action?: string }
  content?: string
}

function parse(frame: string | null): Shown | null {
  return frame === null ? null : (JSON.parse(frame.replace(/^data: /, '')) as Shown)
}

/** A socket.io event's name. */
function widgetEventOf(event: ChatEvent): string | null {
  const text = widgetFormat.encode(event, null)
  return text === null ? null : (JSON.parse(text.slice(2)) as [string])[0]
}

/** What a cell calls the frame: its first word in backticks; null for nothing. */
function frameIn(cell: string): string | null {
  return cell.startsWith('nothing') ? null : (/^`?(the message object|\w+)/.exec(cell)?.[1] ?? cell)
}

describe('docs/events.md', () => {
  it('[A14] has a row for each event of the list, in its order', () => {
    expect(rows!.map((row) => row.event)).toEqual(events.map((event) => event.type))
  })

  it.each(events.map((event, index) => ({ event, row: rows![index]! })))(
    '[A14] tells what each door shows of $event.type, $row.when',
    ({ event, row }) => {
      const groupware = parse(groupwareFormat.encode(event, null))
      const guild = parse(guildFormat.encode(event, null))
      expect(frameIn(row.feed!)).toBe(parse(encodeFeed(event, null))?.type ?? null)
      expect(frameIn(row.guild!)).toBe(guild && 'the message object')
      expect(frameIn(row.groupware!)).toBe(groupware && (groupware.data?.action ?? groupware.type))
      expect(frameIn(row.chatroom!)).toBe(parse(encodeChatroom(event, null))?.type ?? null)
      expect(row.widget!.startsWith('nothing') ? null : row.widget!.split(/[`;]/).find(Boolean)).toBe(widgetEventOf(event))
    },
  )

  it('[A16] tells what a message without text shows where there are no files', () => {
    const [, files, address] = events
    expect(parse(guildFormat.encode(files!, null))).toMatchObject({ content: 'a.png\nb.png' })
    expect(parse(encodeFeed(files!, null))).toMatchObject({ data: { message: 'a.png\nb.png', file_url: '/uploads/1' } })
    expect(parse(encodeChatroom(files!, null))).toMatchObject({ content: 'a.png\nb.png' })
    expect(parse(encodeChatroom(address!, null))).toMatchObject({ content: 'c.png' })
    expect(parse(guildFormat.encode(address!, null))).toMatchObject({ content: 'c.png' })
    expect(parse(groupwareFormat.encode(address!, null))).toMatchObject({
      data: { message: { attachments: [{ id: 5, size: 0 }] } },
    })
  })
})
