/** What storage hands out and takes in is the caller's: changing it afterwards changes nothing stored. */
import { expect, it } from 'vitest'
import { invite, makeRoom, post, react, read, room, say } from './entries.ts'
import { FROM_THE_NEWEST, makeSpace, openWriter, type Contract } from './harness.ts'

export function isolationContract({ open }: Contract): void {
  it('keeps what it stores apart from what it answers', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const { log, directory } = storage
    const spaceId = await makeSpace(storage, writer, 1)
    const roomId = await makeRoom(writer, [1, 2])
    const { id, seq } = await say(writer, roomId, 1, 'a')
    await writer.run(read(roomId, 2))
    await writer.run(react(roomId, 2, id))
    await directory.createUser({ id: 1, username: 'a', email: 'a@a', fullName: '', passwordHash: null, origin: 'registered' })
    const position = writer.next()
    const batch = [post(roomId, 1, 'b', { attachments: [{ fileName: 'a', url: '/uploads/a', mimeType: null, sizeBytes: 1 }] })]
    await writer.write(...batch)
    const answers: (() => Promise<unknown>)[] = [
      () => log.append(writer.journal, position, batch),
      () => log.readCommits(writer.journal, 0, 9),
      () => log.listJournals(1),
      () => log.findRoom(roomId),
      () => log.listRoomsOf(1),
      () => log.findMember(roomId, 1),
      () => log.listMembers(roomId),
      () => log.findMessage(roomId, id),
      () => log.findMessageAt(roomId, seq),
      () => log.listMessages(roomId, { offset: 0, limit: 9 }),
      () => log.listMessagesBelow(roomId, FROM_THE_NEWEST, 9),
      () => log.listMessagesAbove(roomId, 0, 9),
      () => log.listReactions(roomId, [id]),
      () => log.findAttachment('/uploads/a'),
      () => log.listMembershipsOf(1),
      () => log.listSummaries(1),
      () => log.readLog(roomId, FROM_THE_NEWEST, 9),
      () => log.readMarkers(roomId, { explicit: true, below: FROM_THE_NEWEST, limit: 9 }),
      () => log.readMarkers(roomId, { explicit: false, below: FROM_THE_NEWEST, limit: 9 }),
      () => directory.findUser(1),
      () => directory.findUsers([1]),
      () => directory.findSpace(spaceId),
      () => directory.listSpacesOf(1),
    ]
    const before = structuredClone(await Promise.all(answers.map((answer) => answer())))
    for (const answer of answers) spoil(await answer())
    expect(await Promise.all(answers.map((answer) => answer()))).toEqual(before)
  })

  it('keeps what it stores apart from what it was given', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const attachments = [{ fileName: 'a', url: '/uploads/a', mimeType: null, sizeBytes: 1 }]
    const entries = [room([1, 2]), invite(1, 1, [3]), post(1, 1, 'a', { attachments })]
    for (const entry of entries) await writer.run(entry)
    spoil(entries)
    expect(await storage.log.findRoom(1)).toMatchObject({ name: 'a room' })
    expect((await storage.log.listMembers(1)).map((member) => member.userId)).toEqual([1, 2, 3])
    expect(await storage.log.findAttachment('/uploads/a')).toMatchObject({ attachment: { fileName: 'a', sizeBytes: 1 } })
    expect(await storage.log.readLog(1, FROM_THE_NEWEST, 9)).toMatchObject([{}, { together: [3] }, { memberIds: [1, 2] }])
  })
}

/** Overwrites every number and text in it, however deep. */
function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const record = value as Record<string, unknown>
  for (const [key, inner] of Object.entries(record)) {
    if (typeof inner === 'object') spoil(inner)
    else record[key] = 'spoilt'
  }
}
