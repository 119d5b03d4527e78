import { describe, expect, it } from 'vitest'
import { createManualClock, settle } from '../../test/manual-clock.ts'
import { makeRoom, post } from '../storage/contract/entries.ts'
import { openWriter, type Writer } from '../storage/contract/harness.ts'
import { withFaults } from '../storage/faulty.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import { StorageUnavailable, type AppendResult, type JournalRecord, type LogStore } from '../storage/storage.ts'
import { formatCursor, parseCursor, type Cursor } from './cursor.ts'
import type { ChatEvent, Fact } from './events.ts'
import { createTail } from './tail.ts'
import { unknownUser } from './user-cache.ts'

interface HandedOut {
  /** What one call brought: the texts that were posted. */
  texts: string[]
  cursors: string[]
  facts: number
}

/** Writers on one database and the tail of a process that writes nothing. */
async function open() {
  let now = 1_700_000_000_000
  const database = createMemoryDatabase({ now: () => now })
  const storage = database.openStorage()
  const first = await openWriter(storage)
  const second = await openWriter(storage)
  const roomId = await makeRoom(first, [1, 2])
  const otherId = await makeRoom(second, [1, 2])
  const faulty = withFaults(database.openStorage())
  const clock = createManualClock()
  const calls: number[] = []
  const handedOut: HandedOut[] = []
  const deaf = { times: 0 }
  const finished = { times: 0 }
  const gate = { wait: async () => {} }
  const current = { log: faulty.storage.log }
  const tail = createTail({
    log: {
      ...faulty.storage.log,
      listJournals: (from) => {
        calls.push(clock.now())
        return current.log.listJournals(from)
      },
      readCommits: (...page) => current.log.readCommits(...page),
    },
    clock,
    complete: async (facts) => {
      await gate.wait()
      return facts.map((fact) => Object.assign(fact, { user: unknownUser(fact.userId) }))
    },
    handOut: (events, cursorAt) => handedOut.push(describeEvents(events, (event) => cursorAt((event as Fact).stamp))),
    finish: () => void (finished.times += 1),
    onDeaf: () => void (deaf.times += 1),
  })
  await tail.start()
  const say = (writer: Writer, room: number, text: string) => writer.write(post(room, 1, text))
  const texts = () => handedOut.flatMap((call) => call.texts)
  return {
    ...faulty,
    real: storage,
    tail,
    clock,
    first,
    second,
    roomId,
    otherId,
    handedOut,
    deaf,
    finished,
    gate,
    calls,
    /** From now on another database answers. */
    restore: (log: LogStore) => void (current.log = log),
    say,
    texts,
    pass: (ms: number) => (now += ms),
  }
}

function describeEvents(events: ChatEvent[], cursorOf: (event: ChatEvent) => string): HandedOut {
  const texts = events.flatMap((event) => (event.type === 'message.posted' ? [event.message.content] : []))
  return { texts, cursors: events.map(cursorOf), facts: events.length }
}

/** As another node announced it before the database went back: two further on, and storage does not have it. */
function gone(commit: AppendResult): AppendResult {
  return { ...commit, firstPosition: commit.lastPosition + 2, lastPosition: commit.lastPosition + 3 }
}

const positionOf = (cursor: Cursor | null, journal: number) => cursor?.entries.get(journal)?.position
const parse = (text: string): Cursor => {
  const cursor = parseCursor(text)
  if (!cursor) throw new Error(`no cursor: ${text}`)
  return cursor
}

describe('the tail', () => {
  it('hands out whole commits, each once, however often it hears of them', async () => {
    const { tail, first, roomId, handedOut } = await open()
    const commit = await first.write(post(roomId, 1, 'a'), post(roomId, 2, 'b'))
    for (let i = 0; i < 3; i++) tail.hear(structuredClone(commit))
    await settle()
    tail.hear(commit)
    await settle()
    expect(handedOut.map(({ texts, facts }) => [texts, facts])).toEqual([[['a', 'b'], 4]])
  })

  it("keeps each journal's order, whatever the order in which the bus brings its commits", async () => {
    const { tail, say, first, roomId, texts } = await open()
    const commits: AppendResult[] = []
    for (const text of ['a', 'b', 'c', 'd']) commits.push(await say(first, roomId, text))
    for (const index of [2, 3, 1]) tail.hear(commits[index]!)
    await settle()
    expect(texts()).toEqual([])
    tail.hear(commits[0]!)
    await settle()
    expect(texts()).toEqual(['a', 'b', 'c', 'd'])
  })

  it("keeps a room's order over two journals: what stood in it before goes first", async () => {
    const { tail, say, first, second, roomId, texts } = await open()
    const a = await say(first, roomId, 'a')
    const b = await say(second, roomId, 'b')
    const c = await say(first, roomId, 'c')
    tail.hear(c)
    tail.hear(b)
    await settle()
    expect(texts()).toEqual([])
    tail.hear(a)
    await settle()
    expect(texts()).toEqual(['a', 'b', 'c'])
  })

  it('lets a room of another journal pass one that waits', async () => {
    const { tail, say, first, second, roomId, otherId, texts } = await open()
    await say(first, roomId, 'lost')
    tail.hear(await say(first, roomId, 'behind it'))
    tail.hear(await say(second, otherId, 'elsewhere'))
    await settle()
    expect(texts()).toEqual(['elsewhere'])
  })

  it('holds no more than 1,000 commits of a journal that cannot go out, and reads the others behind them', async () => {
    const { tail, clock, say, first, roomId, texts, real, restore } = await open()
    const all = Array.from({ length: 1_500 }, (_, nth) => `${nth}`)
    const lost = await say(first, roomId, all[0]!)
    for (const text of all.slice(1)) tail.hear(await say(first, roomId, text))
    const upToLost = (record: JournalRecord) =>
      record.number === lost.journal ? { ...record, lastPosition: lost.lastPosition } : record
    restore({ ...real.log, listJournals: async (from) => (await real.log.listJournals(from)).map(upToLost) })
    await clock.advance(50)
    expect(texts()).toEqual(all.slice(0, 1_000))
    restore(real.log)
    await clock.advance(2_000)
    expect(texts()).toEqual(all)
  })

  it('hears at one look of more commits than may wait', async () => {
    const { clock, say, first, roomId, texts } = await open()
    const all = Array.from({ length: 2_500 }, (_, nth) => `${nth}`)
    for (const text of all) await say(first, roomId, text)
    await clock.advance(1_000)
    expect(texts()).toEqual(all)
  })

  it('reads a gap from storage after a moment', async () => {
    const { tail, clock, say, first, roomId, texts } = await open()
    await say(first, roomId, 'lost')
    tail.hear(await say(first, roomId, 'b'))
    await clock.advance(49)
    expect(texts()).toEqual([])
    await clock.advance(1)
    expect(texts()).toEqual(['lost', 'b'])
  })

  it('sweeps within a second what nobody announced, also more than one page of it', async () => {
    const { clock, say, first, second, roomId, otherId, texts } = await open()
    for (let i = 0; i < 250; i++) await say(i % 3 ? first : second, i % 2 ? roomId : otherId, `${i}`)
    await clock.advance(1_000)
    expect(texts()).toHaveLength(250)
    for (const parity of [0, 1]) {
      const ofARoom = texts()
        .map(Number)
        .filter((i) => i % 2 === parity)
      expect(ofARoom).toEqual(ofARoom.toSorted((a, b) => a - b))
    }
  })

  it('goes on where storage was away when it had to read', async () => {
    const { tail, clock, say, first, roomId, texts, setAway } = await open()
    await say(first, roomId, 'lost')
    setAway(true)
    tail.hear(await say(first, roomId, 'b'))
    await clock.advance(3_000)
    expect(texts()).toEqual([])
    setAway(false)
    await clock.advance(1_000)
    expect(texts()).toEqual(['lost', 'b'])
  })

  it('asks storage less and less for what it does not find, and at once again for what is new', async () => {
    const { tail, clock, say, first, second, roomId, otherId, texts, calls } = await open()
    tail.hear(gone(await say(first, roomId, 'a')))
    await clock.advance(5_000)
    calls.length = 0
    await clock.advance(60_000)
    expect(calls.length).toBeLessThanOrEqual(120)
    await say(second, otherId, 'lost')
    tail.hear(await say(second, otherId, 'b'))
    await clock.advance(1_000)
    await say(second, otherId, 'lost, too')
    calls.length = 0
    tail.hear(await say(second, otherId, 'c'))
    await clock.advance(50)
    expect([calls.length, texts()]).toEqual([1, ['a', 'lost', 'b', 'lost, too', 'c']])
  })

  it('hands out what is heard while accounts are loaded, in its order, without a wait for healing', async () => {
    const { tail, say, first, roomId, texts, gate } = await open()
    let letGo = () => {}
    gate.wait = () => new Promise((resolve) => (letGo = resolve))
    tail.hear(await say(first, roomId, 'a'))
    await settle()
    tail.hear(await say(first, roomId, 'b'))
    gate.wait = async () => {}
    letGo()
    await settle()
    expect(texts()).toEqual(['a', 'b'])
  })

  it('leaves nothing lying that is heard just as it finishes, however many turns later', async () => {
    const { tail, say, first, roomId, texts } = await open()
    const expected: string[] = []
    for (let ticks = 0; ticks < 20; ticks++) {
      const one = await say(first, roomId, `${ticks} a`)
      const two = await say(first, roomId, `${ticks} b`)
      expected.push(`${ticks} a`, `${ticks} b`)
      tail.hear(one)
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
      tail.hear(two)
      await settle()
      expect(texts()).toEqual(expected)
    }
  })

  it('hears a journal that is opened later from its beginning, also when its first commit comes before word of it', async () => {
    const { tail, clock, say, real, roomId, texts } = await open()
    const third = await openWriter(real)
    await say(third, roomId, 'lost')
    tail.hear(await say(third, roomId, 'b'))
    await clock.advance(50)
    expect(texts()).toEqual(['lost', 'b'])
    expect(positionOf(tail.position(), third.journal)).toBe(4)
  })

  it('forgets commits of a journal that its database does not have', async () => {
    const { tail, clock, texts } = await open()
    tail.hear({ journal: 99, firstPosition: 1, lastPosition: 1, facts: [], after: [] })
    await clock.advance(50)
    let reads = 0
    const after = clock.after.bind(clock)
    clock.after = (ms, call) => {
      if (ms === 50) reads += 1
      return after(ms, call)
    }
    await clock.advance(500)
    expect([reads, texts()]).toEqual([0, []])
  })

  it('hands out nothing of before it began, and drops an empty commit', async () => {
    const { tail, clock, first, roomId, handedOut } = await open()
    tail.hear(await first.write(post(roomId, 99, 'a stranger is refused')))
    await clock.advance(2_000)
    expect(handedOut).toEqual([])
  })

  it('[A7] takes no closed journal for one of another database, where it was heard to its end while a list of journals was under way', async () => {
    const { tail, clock, real, first, deaf, restore } = await open()
    let letGo = () => {}
    const slow = async (from: number) => {
      const records = await real.log.listJournals(from)
      await new Promise<void>((resolve) => (letGo = resolve))
      return records
    }
    await real.log.closeJournal(first.journal)
    restore({ ...real.log, listJournals: slow })
    const hearing = tail.hearEvent({ journal: 3, position: 1 }).catch(() => {})
    restore(real.log)
    await clock.advance(1_000)
    expect(tail.position().floor).toBe(2)
    letGo()
    await clock.advance(10_000)
    await hearing
    expect(deaf.times).toBe(0)
  })

  it('does not read any more when it was stopped', async () => {
    const { tail, clock, say, first, roomId, texts } = await open()
    tail.stop()
    await say(first, roomId, 'lost')
    tail.hear(await say(first, roomId, 'b'))
    await clock.advance(5_000)
    expect(texts()).toEqual([])
  })
})

describe('[A7] cursors of the tail', () => {
  it('cover an event exactly: that one and what went before it, nothing behind it', async () => {
    const { tail, first, second, roomId, otherId, handedOut, say } = await open()
    tail.hear(await first.write(post(roomId, 1, 'a'), post(roomId, 2, 'b')))
    await settle()
    tail.hear(await say(second, otherId, 'c'))
    await settle()
    const positions = handedOut
      .flatMap(({ cursors }) => cursors)
      .map((text) => [first, second].map(({ journal }) => positionOf(parse(text), journal)))
    expect(positions).toEqual([
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 1],
      [5, 2],
      [5, 3],
    ])
  })

  it('end as its position', async () => {
    const { tail, first, roomId, handedOut, say } = await open()
    tail.hear(await say(first, roomId, 'a'))
    await settle()
    const last = parse(handedOut.at(-1)!.cursors.at(-1)!)
    expect(last.entries).toEqual(tail.position().entries)
  })

  it('[A7] cover only what everybody was handed: the position is read once the hand-out under way has finished', async () => {
    const { tail, first, roomId, finished, say } = await open()
    tail.hear(await say(first, roomId, 'a'))
    await settle()
    expect(finished.times).toBe(0)
    tail.position()
    expect(finished.times).toBe(1)
  })

  it('always name the newest journal, and closed ones that were heard to their end drop under the floor', async () => {
    const { tail, clock, real, roomId, say, handedOut } = await open()
    for (let life = 0; life < 30; life++) {
      const writer = await openWriter(real)
      tail.hear(await say(writer, roomId, `${life}`))
      await clock.advance(1_000)
      const cursor = parse(handedOut.at(-1)!.cursors.at(-1)!)
      expect(cursor.entries.has(writer.journal)).toBe(true)
      for (const { number } of await real.log.listJournals(1)) await real.log.closeJournal(number)
      await clock.advance(1_000)
      expect(tail.position()).toMatchObject({ floor: writer.journal })
      expect([...tail.position().entries.keys()], 'one entry').toEqual([writer.journal])
    }
    expect(formatCursor(tail.position()).length).toBeLessThan(20)
  })

  it('keep a closed journal until it was heard to its end', async () => {
    const { tail, clock, real, first, second, roomId, say, texts, setAway } = await open()
    await say(first, roomId, 'unheard')
    await real.log.closeJournal(first.journal)
    setAway(true)
    await clock.advance(2_000)
    expect([tail.position().floor, tail.position().entries.has(first.journal)]).toEqual([1, true])
    setAway(false)
    await clock.advance(2_000)
    expect(texts()).toEqual(['unheard'])
    expect([tail.position().floor, [...tail.position().entries.keys()]]).toEqual([second.journal, [second.journal]])
  })

  it('keep a closed journal also while its last commit waits for accounts', async () => {
    const { tail, clock, real, first, roomId, say, texts, gate } = await open()
    let letGo = () => {}
    const opened = new Promise<void>((resolve) => (letGo = resolve))
    gate.wait = () => opened
    await say(first, roomId, 'slow')
    await real.log.closeJournal(first.journal)
    await clock.advance(3_000)
    expect([tail.position().floor, texts()]).toEqual([first.journal, []])
    letGo()
    await clock.advance(2_000)
    expect([tail.position().entries.has(first.journal), texts()]).toEqual([false, ['slow']])
  })

  it('stay short while an older journal still lives', async () => {
    const { tail, clock, real, first, second } = await open()
    await real.log.closeJournal(second.journal)
    const third = await openWriter(real)
    await clock.advance(2_000)
    expect([...tail.position().entries.keys()]).toEqual([first.journal, second.journal, third.journal])
    await real.log.closeJournal(first.journal)
    await clock.advance(2_000)
    expect([...tail.position().entries.keys()]).toEqual([third.journal])
  })
})

describe('[A7] hearUpTo', () => {
  const at = (cursor: Cursor, journal: number, position: number, tag?: string): Cursor => {
    const entry = cursor.entries.get(journal)
    return { ...cursor, entries: new Map(cursor.entries).set(journal, { tag: tag ?? entry!.tag, position }) }
  }

  it('answers at once where all of it was handed out', async () => {
    const { tail, setAway } = await open()
    setAway(true)
    expect(await tail.hearUpTo(tail.position())).toBe(true)
  })

  it('hears from storage up to a cursor of another node that is ahead', async () => {
    const { tail, first, roomId, say, texts } = await open()
    const before = tail.position()
    for (const text of ['a', 'b', 'c']) await say(first, roomId, text)
    expect(await tail.hearUpTo(at(before, first.journal, 3))).toBe(true)
    expect(texts()).toContain('a')
    expect(positionOf(tail.position(), first.journal)).toBeGreaterThanOrEqual(3)
  })

  it('waits for what has to go out before it', async () => {
    const { tail, clock, first, roomId, say, gate, texts } = await open()
    const before = tail.position()
    await say(first, roomId, 'a')
    let letGo = () => {}
    gate.wait = () => new Promise((resolve) => (letGo = resolve))
    let isThere = false
    const heard = tail.hearUpTo(at(before, first.journal, 3)).then((is) => (isThere = is))
    await clock.advance(200)
    expect(isThere).toBe(false)
    letGo()
    await clock.advance(200)
    expect([await heard, texts()]).toEqual([true, ['a']])
  })

  it('hears to their ends the journals below its floor', async () => {
    const { tail, clock, real, first, second, roomId, say, gate, texts } = await open()
    const { tag, position } = tail.position().entries.get(second.journal)!
    await say(first, roomId, 'a')
    await real.log.closeJournal(first.journal)
    let letGo = () => {}
    gate.wait = () => new Promise((resolve) => (letGo = resolve))
    const ends: boolean[] = []
    const cursor = { floor: second.journal, entries: new Map([[second.journal, { tag, position }]]) }
    void tail.hearUpTo(cursor).then((is) => ends.push(is))
    await clock.advance(200)
    expect([ends, tail.position().floor]).toEqual([[], first.journal])
    letGo()
    await clock.advance(200)
    expect([ends, texts(), tail.position().floor]).toEqual([[true], ['a'], second.journal])
  })

  it('knows journals below the floor by their tags', async () => {
    const { tail, clock, real, first, second } = await open()
    const before = tail.position()
    await real.log.closeJournal(first.journal)
    await clock.advance(2_000)
    expect(tail.position().floor).toBe(second.journal)
    expect(await tail.hearUpTo(before)).toBe(true)
    expect(await tail.hearUpTo(at(before, first.journal, 1, 'zzzzzzzz'))).toBe(false)
  })

  it('refuses a tag that this database does not hold, a position of the future and a journal of the future', async () => {
    const { tail, first } = await open()
    const here = tail.position()
    expect(await tail.hearUpTo(at(here, first.journal, 1, 'zzzzzzzz'))).toBe(false)
    expect(await tail.hearUpTo(at(here, first.journal, 2))).toBe(false)
    expect(await tail.hearUpTo(at(here, 99, 0, 'zzzzzzzz'))).toBe(false)
    expect(await tail.hearUpTo(at(here, 0, 0, 'zzzzzzzz'))).toBe(false)
  })

  it('throws where storage is away', async () => {
    const { tail, first, setAway } = await open()
    setAway(true)
    await expect(tail.hearUpTo(at(tail.position(), first.journal, 9))).rejects.toThrow('away')
  })

  it('[A15] throws where what it names does not come within 5 s', async () => {
    const { tail, clock, first, roomId, say, gate } = await open()
    const before = tail.position()
    await say(first, roomId, 'a')
    gate.wait = async () => {
      throw new StorageUnavailable('no accounts, for a test')
    }
    const ends: unknown[] = []
    for (const heard of [tail.hearUpTo(at(before, first.journal, 3)), tail.hearEvent({ journal: first.journal, position: 99 })])
      void heard.catch((error: unknown) => ends.push(error))
    await clock.advance(4_900)
    expect(ends).toEqual([])
    await clock.advance(200)
    expect(ends).toEqual([expect.any(StorageUnavailable), expect.any(StorageUnavailable)])
  })
})

describe('a database that went back', () => {
  it('takes along what was announced and waits: it is forgotten once its journal is closed', async () => {
    const { tail, clock, say, real, first, second, roomId, otherId, texts, calls, deaf } = await open()
    const last = await say(second, otherId, 'a')
    tail.hear(last)
    tail.hear(gone(last))
    await real.log.closeJournal(second.journal)
    await clock.advance(2_000)
    // Also where it is announced late.
    tail.hear(gone(last))
    tail.hear({ ...last, firstPosition: last.lastPosition + 1, lastPosition: last.lastPosition + 1 })
    tail.hear(await say(first, roomId, 'b'))
    calls.length = 0
    await clock.advance(10_500)
    expect([texts(), deaf.times]).toEqual([['a', 'b'], 0])
    expect(calls.length, 'the sweeps alone').toBeLessThanOrEqual(11)
    expect(positionOf(tail.position(), second.journal)).toBe(last.lastPosition)
  })

  it('[A7] after something was handed out: live clients are sent back, and their cursors are none of its own', async () => {
    const { tail, clock, say, real, first, roomId, texts, deaf } = await open()
    const last = await say(first, roomId, 'a')
    tail.hear(last)
    tail.hear({ ...last, firstPosition: last.lastPosition + 1, lastPosition: last.lastPosition + 2, after: [] })
    await settle()
    const beyond = tail.position()
    await real.log.closeJournal(first.journal)
    await clock.advance(1_000)
    expect([texts(), deaf.times]).toEqual([['a', 'a'], 1])
    expect(await tail.hearUpTo(beyond)).toBe(false)
    await clock.advance(10_000)
    expect(deaf.times).toBe(1)
  })

  it.each(['a sweep', 'the journal that this process opens'])('[A7] behind a journal begins anew, by %s', async (how) => {
    const { tail, clock, say, first, roomId, texts, deaf, restore } = await open()
    tail.hear(await say(first, roomId, 'a'))
    await settle()
    const before = tail.position()
    const other = createMemoryDatabase().openStorage()
    const writer = await openWriter(other)
    const otherId = await makeRoom(writer, [1])
    await say(writer, otherId, 'of before')
    if (how === 'a sweep') restore(other.log)
    const [record] = await other.log.listJournals(1)
    if (how !== 'a sweep') {
      restore(other.log)
      tail.adopt(record!)
    }
    await clock.advance(how === 'a sweep' ? 1_000 : 100)
    tail.hear(await say(writer, otherId, 'b'))
    await clock.advance(100)
    expect([texts(), deaf.times]).toEqual([['a', 'b'], 1])
    expect(tail.position().entries).toEqual(
      new Map([[1, { tag: record!.tag, position: (await other.log.listJournals(1))[0]!.lastPosition }]]),
    )
    expect(await tail.hearUpTo(before)).toBe(false)
  })
})

describe('[A15] hearEvent', () => {
  it('hears from storage up to an event, and what stood in its room before it', async () => {
    const { tail, clock, first, second, roomId, say, texts } = await open()
    await say(first, roomId, 'before it')
    const { journal, firstPosition: position } = await say(second, roomId, 'it')
    const heard = tail.hearEvent({ journal, position })
    await clock.advance(100)
    await heard
    expect(texts()).toEqual(['before it', 'it'])
  })

  it('reads nothing for an event that it has heard and hands out soon, however many wait for it', async () => {
    const { tail, clock, first, roomId, say, texts, calls, gate } = await open()
    let load = () => {}
    const loading = new Promise<void>((resolve) => (load = resolve))
    gate.wait = () => loading
    const last = await say(first, roomId, 'a')
    tail.hear(last)
    const { journal, firstPosition: position } = last
    const heard = Promise.all(Array.from({ length: 10 }, () => tail.hearEvent({ journal, position })))
    await clock.advance(900)
    expect(calls.length, 'reading of journals').toBe(1)
    load()
    await clock.advance(100)
    await heard
    expect(texts()).toEqual(['a'])
  })

  it('answers at once where it was handed out, also when its journal is below the floor', async () => {
    const { tail, clock, real, first, second, setAway } = await open()
    await real.log.closeJournal(first.journal)
    await clock.advance(2_000)
    expect(tail.position().floor).toBe(second.journal)
    setAway(true)
    await tail.hearEvent({ journal: first.journal, position: 1 })
    await tail.hearEvent({ journal: second.journal, position: 1 })
  })
})

describe('commits that were pruned before they were heard', () => {
  it('[A7] make it deaf for them: live clients are sent back to resume, and it goes on from the end', async () => {
    const { tail, clock, real, first, roomId, say, texts, deaf, pass } = await open()
    await say(first, roomId, 'pruned')
    pass(3 * 3_600_000)
    await real.log.prune()
    await say(first, roomId, 'later')
    await clock.advance(2_000)
    expect([deaf.times, texts()]).toEqual([1, []])
    tail.hear(await say(first, roomId, 'heard'))
    await settle()
    expect([deaf.times, texts()]).toEqual([1, ['heard']])
  })

  it('are no matter where they were heard', async () => {
    const { tail, clock, real, first, roomId, say, texts, deaf, pass } = await open()
    tail.hear(await say(first, roomId, 'a'))
    await settle()
    pass(3 * 3_600_000)
    await real.log.prune()
    await clock.advance(2_000)
    expect([deaf.times, texts()]).toEqual([0, ['a']])
  })
})

it('a journal that this process opened is heard from where it stands', async () => {
  const { tail, real, roomId, texts } = await open()
  const record: JournalRecord = await real.log.openJournal()
  tail.adopt({ ...record })
  tail.hear(await real.log.append(record.number, 1, [post(roomId, 1, 'own')]))
  await settle()
  expect(texts()).toEqual(['own'])
})
