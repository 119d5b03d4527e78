/** A user's rooms as lists: conversations with their counts, and memberships with their stamps; and a room's messages by page. */
import { expect, it } from 'vitest'
import type { Message } from '../../core/model.ts'
import type { RoomSummary, Storage } from '../storage.ts'
import { add, direct, expel, invite, makeRoom, post, read, remove, say } from './entries.ts'
import { factOf, FROM_THE_NEWEST, openWriter, type Contract } from './harness.ts'

export function summaryContract(contract: Contract): void {
  listContract(contract)
  membershipContract(contract)
  pageContract(contract)
}

/** What `listSummaries` must say, from the small reads. */
export async function recountSummaries({ log }: Storage, userId: number): Promise<RoomSummary[]> {
  const summaries: RoomSummary[] = []
  for (const room of await log.listRoomsOf(userId)) {
    const member = await log.findMember(room.id, userId)
    if (member === null) throw new Error(`room ${room.id} is listed for user ${userId}, who is not in it`)
    const others = (await log.listMembers(room.id)).filter((other) => other.userId !== userId)
    const [last] = await log.listMessages(room.id, { offset: 0, limit: 1 })
    const { id, kind, name, ordinal, updatedAt } = room
    const posts = (await log.readLog(room.id, FROM_THE_NEWEST, 10_000)).filter((row) => row.type === 'message.posted')
    summaries.push({
      room: { id, kind, name, ordinal, updatedAt },
      markerOrdinal: member.marker.ordinal,
      memberCount: others.length + 1,
      otherUserId: others.map((other) => other.userId).toSorted((a, b) => a - b)[0] ?? null,
      lastMessage: last ? shownOf(last) : null,
      deletedAfterMarker: posts.filter((row) => row.message.deletedAt !== null && row.seq > member.marker.seq).length,
    })
  }
  return summaries
}

export function shownOf({ id, authorId, content, fileUrl, attachments, createdAt }: Message): RoomSummary['lastMessage'] {
  return { id, authorId, content, fileUrl, attachments, createdAt }
}

/** In order of room. */
export async function summariesOf({ log }: Storage, userId: number): Promise<RoomSummary[]> {
  return (await log.listSummaries(userId)).toSorted((a, b) => a.room.id - b.room.id)
}

function listContract({ open }: Contract): void {
  it('[P8] lists the rooms that a user is in with the newest message, the count of members and the lowest-numbered other', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const alone = await makeRoom(writer, [5])
    const full = await makeRoom(writer, [9, 5, 7, 3])
    const left = await makeRoom(writer, [5, 6])
    await makeRoom(writer, [6])
    await writer.run(expel(full, 3))
    await writer.run(expel(left, 5))
    const attachments = [{ fileName: 'a', url: '/uploads/a', mimeType: null, sizeBytes: 1 }]
    await writer.run(post(full, 9, 'older'))
    await writer.run(post(full, 9, '', { attachments }))
    const gone = await say(writer, full, 7, 'deleted')
    await writer.run(remove(full, 7, gone.id))
    await writer.run(add(full, 8))
    const summaries = await summariesOf(storage, 5)
    expect(summaries).toMatchObject([
      { room: { id: alone }, memberCount: 1, otherUserId: null, lastMessage: null, deletedAfterMarker: 0 },
      { room: { id: full, ordinal: 3 }, memberCount: 4, otherUserId: 7, deletedAfterMarker: 1 },
    ])
    expect(summaries).toEqual(await recountSummaries(storage, 5))
    expect(summaries[1]?.lastMessage).toMatchObject({ authorId: 9, attachments })
  })

  it('[P8] counts as deleted behind the marker what was deleted behind it, each reader by himself', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2, 3])
    const ids: number[] = []
    for (const text of ['a', 'b', 'c', 'd']) ids.push((await say(writer, roomId, 1, text)).id)
    await writer.run(read(roomId, 2, ids[1] ?? 0))
    for (const id of ids) {
      await writer.run(remove(roomId, 1, id))
      for (const userId of [1, 2, 3]) expect(await summariesOf(storage, userId)).toEqual(await recountSummaries(storage, userId))
    }
    expect((await summariesOf(storage, 2))[0]).toMatchObject({ deletedAfterMarker: 2, lastMessage: null })
    expect((await summariesOf(storage, 3))[0]).toMatchObject({ deletedAfterMarker: 4 })
  })

  it('lists nothing of a deleted room, and nothing for a stranger', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await writer.run({ kind: 'room.delete', roomId, actorId: 1 })
    expect([await storage.log.listSummaries(1), await storage.log.listMembershipsOf(1)]).toEqual([[], []])
    expect([await storage.log.listSummaries(2), await storage.log.listMembershipsOf(2)]).toEqual([[], []])
  })
}

function membershipContract({ open }: Contract): void {
  it('lists the rooms that a user is in or was in, with what stands last, what let him in and what removed him', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const created = factOf(await writer.run(direct([1, 2])), 'room.created')
    const roomId = await makeRoom(writer, [1])
    const added = factOf(await writer.run(invite(roomId, 1, [2])), 'member.added')
    const removed = factOf(await writer.run(expel(roomId, 2)), 'member.removed')
    const [, marker] = await writer.run(post(roomId, 1, 'a'))
    await makeRoom(writer, [1])
    expect(await storage.log.listMembershipsOf(2)).toEqual([
      {
        member: await storage.log.findMember(created.roomId, 2),
        lastStamp: created.stamp,
        joinedStamp: created.stamp,
        leftStamp: null,
      },
      { member: added.member, lastStamp: marker?.stamp, joinedStamp: added.stamp, leftStamp: removed.stamp },
    ])
    const among = async (roomIds: number[]) =>
      (await storage.log.listMembershipsOf(2, roomIds)).map(({ member }) => member.roomId)
    expect([await among([]), await among([roomId, roomId + 1]), await among([roomId, created.roomId])]).toEqual([
      [],
      [roomId],
      [created.roomId, roomId],
    ])
  })

  it('shows who came back by his last entry alone', async () => {
    const { storage, second } = await open()
    const writer = await openWriter(storage)
    const other = await openWriter(await second())
    const roomId = await makeRoom(writer, [1, 2])
    await writer.run(expel(roomId, 2))
    const back = factOf(await other.run(add(roomId, 2)), 'member.added')
    const [readBy] = await writer.run(read(roomId, 1))
    expect(back.stamp.journal).toBe(other.journal)
    expect(await storage.log.listMembershipsOf(2)).toEqual([
      { member: back.member, lastStamp: readBy?.stamp, joinedStamp: back.stamp, leftStamp: null },
    ])
  })
}

function pageContract({ open }: Contract): void {
  it('[P6] reads messages from below a seq down and from above one up, up to a limit, without deleted ones', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const said = []
    for (const text of ['a', 'b', 'c', 'd', 'e']) {
      said.push(await say(writer, roomId, 1, text))
      await writer.run(add(roomId, 10 + said.length))
    }
    await writer.run(remove(roomId, 1, said[1]?.id ?? 0))
    await writer.run(remove(roomId, 1, said[4]?.id ?? 0))
    const middle = said[2]?.seq ?? 0
    const below = async (seq: number, limit = 9) => textsOf(await storage.log.listMessagesBelow(roomId, seq, limit))
    const above = async (seq: number, limit = 9) => textsOf(await storage.log.listMessagesAbove(roomId, seq, limit))
    expect([await below(FROM_THE_NEWEST), await above(0)]).toEqual(['dca', 'acd'])
    expect([await below(middle), await below(middle + 1), await above(middle), await above(middle - 1)]).toEqual([
      'a',
      'ca',
      'd',
      'cd',
    ])
    expect([await below(FROM_THE_NEWEST, 2), await above(0, 2)]).toEqual(['dc', 'ac'])
    expect([await below(1), await above(FROM_THE_NEWEST), await below(9, 0), await above(0, 0)]).toEqual(['', '', '', ''])
    expect(await storage.log.listMessagesBelow(roomId, middle, 9)).toEqual([said[0]])
    expect(await storage.log.listMessagesAbove(404, 0, 9)).toEqual([])
  })
}

function textsOf(messages: { content: string }[]): string {
  return messages.map((message) => message.content).join('')
}
