/** Whether a marker went past messages that its owner had not read (P4, P9), told alike by every reading of the log. */
import { expect, it } from 'vitest'
import type { RoomId, UserId } from '../../core/model.ts'
import type { Entry, Storage } from '../storage.ts'
import { add, expel, invite, keyed, makeRoom, post, read, remove, say } from './entries.ts'
import { openWriter, type Contract, type Writer } from './harness.ts'

export function passedContract(contract: Contract): void {
  postContract(contract)
  batchContract(contract)
  readContract(contract)
}

interface Room {
  storage: Storage
  writer: Writer
  roomId: RoomId
}

async function openRoom({ open }: Contract, members: UserId[]): Promise<Room> {
  const { storage } = await open()
  const writer = await openWriter(storage)
  return { storage, writer, roomId: await makeRoom(writer, members) }
}

/** Appends these and resolves with each mover and whether he passed others' messages; every way to ask must say the same. */
async function passedBy({ storage, writer }: Room, ...entries: Entry[]): Promise<[UserId, boolean][]> {
  const at = writer.next()
  const result = await writer.write(...entries)
  expect(await storage.log.append(writer.journal, at, entries)).toEqual(result)
  expect((await storage.log.readCommits(writer.journal, at - 1, 1)).map((commit) => commit.facts)).toEqual([result.facts])
  return result.facts.flatMap((fact) => (fact.type === 'read.advanced' ? [[fact.userId, fact.passed] as [UserId, boolean]] : []))
}

function postContract(contract: Contract): void {
  it('[P4] does not pass anything with the first post of a room, nor with the next of the same author', async () => {
    const room = await openRoom(contract, [1, 2])
    expect(await passedBy(room, post(room.roomId, 1, 'a'))).toEqual([[1, false]])
    expect(await passedBy(room, post(room.roomId, 1, 'b'))).toEqual([[1, false]])
  })

  it("[P4] passes others' messages with a post behind them, until they are read", async () => {
    const room = await openRoom(contract, [1, 2])
    const { writer, roomId } = room
    await say(writer, roomId, 1, 'a')
    expect(await passedBy(room, post(roomId, 2, 'b'))).toEqual([[2, true]])
    await writer.run(read(roomId, 1))
    expect(await passedBy(room, post(roomId, 1, 'c'))).toEqual([[1, false]])
    await say(writer, roomId, 2, 'd')
    await writer.run(read(roomId, 1, 1))
    expect(await passedBy(room, post(roomId, 1, 'e'))).toEqual([[1, true]])
  })

  it('[P4] passes a message that was deleted meanwhile, and nothing that is no message', async () => {
    const room = await openRoom(contract, [1, 2])
    const { writer, roomId } = room
    const { id } = await say(writer, roomId, 1, 'a')
    await writer.run(remove(roomId, 1, id))
    expect(await passedBy(room, post(roomId, 2, 'b'))).toEqual([[2, true]])
    await writer.run(add(roomId, 3))
    await writer.run(expel(roomId, 3))
    expect(await passedBy(room, post(roomId, 2, 'c'))).toEqual([[2, false]])
  })

  it('[P9] passes what stood before an invited member, and nothing for one who came with all read', async () => {
    const room = await openRoom(contract, [1])
    const { writer, roomId } = room
    await say(writer, roomId, 1, 'a')
    await writer.run(invite(roomId, 1, [2]))
    await writer.run(add(roomId, 3, { read: 'all' }))
    expect(await passedBy(room, post(roomId, 3, 'b'))).toEqual([[3, false]])
    expect(await passedBy(room, post(roomId, 2, 'c'))).toEqual([[2, true]])
  })

  it('[W9] passes the messages of guests, who have no marker', async () => {
    const room = await openRoom(contract, [1])
    const guest = (text: string) => post(room.roomId, 77, text, { isGuest: true })
    expect(await passedBy(room, guest('a'))).toEqual([])
    expect(await passedBy(room, post(room.roomId, 1, 'b'))).toEqual([[1, true]])
  })

  it('[A16] tells it of posts with files and with keys as of plain ones', async () => {
    const room = await openRoom(contract, [1, 2])
    const { roomId } = room
    const attachments = [{ fileName: 'a', url: '/uploads/a', mimeType: null, sizeBytes: 1 }]
    expect(await passedBy(room, post(roomId, 1, 'a', { attachments }))).toEqual([[1, false]])
    expect(await passedBy(room, post(roomId, 2, 'b', { attachments }))).toEqual([[2, true]])
    expect(await passedBy(room, keyed(roomId, 2, 'k', 'c'))).toEqual([[2, false]])
    expect(await passedBy(room, keyed(roomId, 1, 'k', 'd'))).toEqual([[1, true]])
  })
}

function batchContract(contract: Contract): void {
  it('[P4] counts in a batch from the post before by the same author, in each room by itself', async () => {
    const room = await openRoom(contract, [1, 2, 3])
    const { writer, roomId } = room
    const other = await makeRoom(writer, [1, 2])
    await say(writer, roomId, 3, 'before')
    const authors: [RoomId, UserId][] = [
      [other, 1],
      [roomId, 1],
      [roomId, 1],
      [roomId, 2],
      [other, 1],
      [roomId, 2],
      [roomId, 1],
      [other, 2],
    ]
    const told = await passedBy(room, ...authors.map(([where, author]) => post(where, author, 'a')))
    const inRoom: [UserId, boolean][] = [
      [1, true],
      [1, false],
      [2, true],
      [2, false],
      [1, true],
    ]
    expect(told).toEqual([...inRoom, [1, false], [1, false], [2, true]])
  })

  it('[P4] takes what else the batch did into account: who comes, who posts as a guest, who reads behind it', async () => {
    const room = await openRoom(contract, [1])
    const { roomId } = room
    const guest = post(roomId, 1, 'of a guest with the number of a member', { isGuest: true })
    const entries = [read(roomId, 1), post(roomId, 1, 'a'), guest, post(roomId, 1, 'b'), post(roomId, 2, 'c'), add(roomId, 2)]
    expect(await passedBy(room, ...entries)).toEqual([
      ...([
        [1, false],
        [1, true],
        [2, true],
      ] as const),
      [1, true],
    ])
  })
}

function readContract(contract: Contract): void {
  it('[P9] passes with each read that moves the marker, and with no other', async () => {
    const room = await openRoom(contract, [1, 2])
    const { writer, roomId } = room
    expect(await passedBy(room, read(roomId, 2))).toEqual([[2, false]])
    const first = await say(writer, roomId, 1, 'a')
    await say(writer, roomId, 1, 'b')
    expect(await passedBy(room, read(roomId, 2, first.id))).toEqual([[2, true]])
    expect(await passedBy(room, read(roomId, 2, first.id))).toEqual([[2, false]])
    expect(await passedBy(room, read(roomId, 2), read(roomId, 2), read(roomId, 1), read(roomId, 2, first.id))).toEqual([
      [2, true],
      [2, false],
      [1, false],
      [2, false],
    ])
  })

  it('[P3] says of every replayed move and read that it passed, as it stands for the moves before it', async () => {
    const { storage, writer, roomId } = await openRoom(contract, [1, 2])
    await say(writer, roomId, 1, 'a')
    await say(writer, roomId, 1, 'b')
    await writer.run(read(roomId, 1))
    for (const explicit of [true, false]) {
      const moves = await storage.log.readMarkers(roomId, { explicit, below: Number.MAX_SAFE_INTEGER, limit: 9 })
      expect(moves.map(({ fact }) => [fact.userId, fact.explicit, fact.passed])).toEqual([[1, explicit, true]])
    }
  })
}
