/** What every adapter of the bus must do. */
import { expect, it } from 'vitest'
import { until } from '../../test/chat.ts'
import type { Fact } from '../core/events.ts'
import type { AppendResult, Commit } from '../storage/storage.ts'
import type { Bus, PresenceNews } from './bus.ts'

const database = 'x7k2p9qa'

/** A process on the bus, with what it heard. */
export interface Ear {
  bus: Bus
  commits: Commit[]
  /** Commits as their first positions, presence as its kinds with the sender, in the order in which they came. */
  heard: string[]
  news: [node: string, news: PresenceNews][]
  opened: number
}

/** Listens on a bus; `settled` resolves once its line stands. */
export async function listenOn(bus: Bus, name = database): Promise<Ear> {
  const ear: Ear = { bus, commits: [], heard: [], news: [], opened: 0 }
  bus.listen(name, {
    onOpen: () => void (ear.opened += 1),
    onCommit(commit) {
      ear.commits.push(commit)
      ear.heard.push(`commit ${commit.firstPosition}`)
    },
    onPresence(node, news) {
      ear.news.push([node, news])
      ear.heard.push(news.kind)
    },
  })
  await until('the line', () => ear.opened > 0)
  return ear
}

const stampOf = (position: number) => ({ journal: 3, position })

export function postAt(position: number, content = `text ${position}`): Fact {
  const message = {
    id: 100 + position,
    roomId: 7,
    seq: position,
    ordinal: position - 1,
    authorId: 5,
    kind: 'text',
    content,
    fileUrl: null,
    attachments: [],
    createdAt: 1_700_000_000_000 + position,
    editedAt: null,
    deletedAt: null,
  }
  const { createdAt: at } = message
  return { type: 'message.posted', roomId: 7, stamp: stampOf(position), userId: 5, actorId: 5, at, seq: position, message }
}

export function commitOf(facts: Fact[]): Commit {
  const [first, last] = [facts[0]!.stamp.position, facts.at(-1)!.stamp.position]
  return { journal: 3, firstPosition: first, lastPosition: last, facts, after: [{ journal: 2, position: 9 }] }
}

/** One of each kind, with what is rare in each. */
export function everyFact(): Fact[] {
  const post = postAt(1, '안녕 "\\" \u2028 \u{1f44b} \n\r\t <b> \u0001')
  if (post.type !== 'message.posted') throw new Error('a post')
  const attachments = [{ id: 4, fileName: '회의록.pdf', url: '/uploads/ab', mimeType: null, sizeBytes: 12 }]
  const message = { ...post.message, fileUrl: 'https://a.example/b?c=d', attachments, kind: 'image', editedAt: 1, deletedAt: 2 }
  const marker = { seq: 1, ordinal: 1, readAt: null }
  const member = { id: 6, roomId: 7, userId: 8, role: 'member', nickname: '', joinedAt: 1, joinedSeq: 3, marker } as const
  const base = (position: number) => ({ roomId: 7, stamp: stampOf(position), userId: 8, actorId: null, at: 5 })
  const row = (position: number) => ({ ...base(position), seq: position })
  const read = { explicit: true, passed: false, markerSeq: 1, messageId: 101 }
  return [
    { ...post, actorId: null, message },
    { ...base(2), type: 'read.advanced', ...read },
    { ...base(3), type: 'read.advanced', ...read, explicit: false, passed: true, markerSeq: 0, messageId: null },
    { ...row(4), type: 'message.edited', message },
    { ...row(5), type: 'message.deleted', message: { ...message, content: '' } },
    { ...row(6), type: 'room.created', memberIds: [8, 5] },
    { ...row(7), type: 'room.updated', name: 'name', description: null },
    { ...row(8), type: 'member.added', member, together: [8] },
    { ...row(9), type: 'member.removed', joinedSeq: 3 },
    { ...row(10), type: 'role.changed', role: 'admin' },
    { ...row(11), type: 'reaction.added', message, reaction: '👍🏽' },
    { ...row(12), type: 'reaction.removed', message, reaction: '👍🏽' },
    { ...row(13), type: 'name.changed', nickname: '' },
    { ...row(14), type: 'room.deleted' },
  ]
}

/** `connect` makes a bus that hears the others of this test. */
export function testBus(connect: () => Bus): void {
  it('brings what one publishes to each of the others once, whole, and not to itself', async () => {
    const ears = [await listenOn(connect()), await listenOn(connect()), await listenOn(connect())]
    const commit = commitOf(everyFact())
    ears[0]!.bus.publish(structuredClone(commit))
    ears[1]!.bus.publish(commitOf([postAt(20)]))
    await until('both', () => ears[2]!.commits.length === 2 && ears[1]!.commits.length === 1 && ears[0]!.commits.length === 1)
    expect(ears[1]!.commits).toEqual([commit])
    expect(ears[0]!.commits).toEqual([commitOf([postAt(20)])])
    expect(ears[2]!.commits).toHaveLength(2)
  })

  it('keeps the order of each publisher, of commits and presence together', async () => {
    const [one, two, three] = [await listenOn(connect()), await listenOn(connect()), await listenOn(connect())]
    const expected: string[] = []
    for (let position = 1; position <= 300; position++) {
      one.bus.publish(commitOf([postAt(position)]))
      two.bus.publish(commitOf([postAt(1_000 + position)]))
      if (position % 10 === 0) one.bus.tell({ kind: 'beat', number: position })
      expected.push(`commit ${position}`, ...(position % 10 === 0 ? ['beat'] : []))
    }
    await until('all of both', () => three.heard.length === 630)
    const isOfTwo = (line: string) => Number(line.slice('commit '.length)) > 1_000
    expect(three.heard.filter((line) => !isOfTwo(line))).toEqual(expected)
    expect(three.heard.filter(isOfTwo)).toEqual(Array.from({ length: 300 }, (_, nth) => `commit ${1_001 + nth}`))
  })

  it('brings a commit of a thousand long messages', async () => {
    const [one, two] = [await listenOn(connect()), await listenOn(connect())]
    const commit = commitOf(Array.from({ length: 1_000 }, (_, nth) => postAt(nth + 1, `${nth}${'말'.repeat(1_300)}`)))
    one.bus.publish(structuredClone(commit))
    await until('it', () => two.commits.length === 1)
    expect(two.commits[0]).toEqual(commit)
  })

  it('does not bring the outcomes, which are the publisher’s own', async () => {
    const [one, two] = [await listenOn(connect()), await listenOn(connect())]
    const commit = commitOf([postAt(1)])
    const result: AppendResult = { ...commit, outcomes: [{ status: 'done', facts: commit.facts }] }
    one.bus.publish(result)
    await until('it', () => two.commits.length === 1)
    expect(Object.keys(two.commits[0]!).toSorted()).toEqual(Object.keys(commit).toSorted())
  })

  it('[A19] brings what a node says of who is online there, with its name', async () => {
    const [one, two] = [await listenOn(connect()), await listenOn(connect())]
    expect(one.bus.node).not.toBe(two.bus.node)
    const said: PresenceNews[] = [
      { kind: 'change', number: 1, online: [[7, 1, 2]], offline: [[8, 3]] },
      { kind: 'whole', number: 2, online: [[7, 1]] },
      { kind: 'beat', number: 2 },
      { kind: 'ask', node: null },
      { kind: 'ask', node: two.bus.node },
      { kind: 'end' },
    ]
    for (const news of said) one.bus.tell(news)
    await until('all', () => two.news.length === said.length)
    expect(two.news).toEqual(said.map((news) => [one.bus.node, news]))
    expect(one.news).toEqual([])
  })

  it('keeps databases apart', async () => {
    const [one, other, two] = [await listenOn(connect()), await listenOn(connect(), 'x7k2p9qb'), await listenOn(connect())]
    one.bus.publish(commitOf([postAt(1)]))
    one.bus.tell({ kind: 'end' })
    other.bus.publish(commitOf([postAt(5)]))
    other.bus.tell({ kind: 'beat', number: 4 })
    // By then what went before on the same ways has come.
    one.bus.publish(commitOf([postAt(2)]))
    await until('both', () => two.commits.length === 2)
    expect(two.heard).toEqual(['commit 1', 'end', 'commit 2'])
    expect(other.heard).toEqual([])
  })

  it('drops what is published before it listens and after it closed, and hears nothing any more', async () => {
    const [one, two] = [connect(), await listenOn(connect())]
    one.publish(commitOf([postAt(1)]))
    one.tell({ kind: 'beat', number: 1 })
    const ear = await listenOn(one)
    one.publish(commitOf([postAt(2)]))
    await one.close()
    one.publish(commitOf([postAt(3)]))
    one.tell({ kind: 'end' })
    two.bus.publish(commitOf([postAt(4)]))
    const third = await listenOn(connect())
    two.bus.publish(commitOf([postAt(5)]))
    await until('the last', () => third.commits.length === 1)
    expect(two.heard).toEqual(['commit 2'])
    expect(ear.heard).toEqual([])
  })
}
