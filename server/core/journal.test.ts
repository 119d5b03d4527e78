import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createManualClock, settle } from '../../test/manual-clock.ts'
import { invite, keyed, makeRoom, post } from '../storage/contract/entries.ts'
import { openWriter } from '../storage/contract/harness.ts'
import { withFaults, type Fault } from '../storage/faulty.ts'
import { createMemoryDatabase, type MemoryDatabase } from '../storage/memory/memory.ts'
import {
  JournalClosed,
  StorageUnavailable,
  type Commit,
  type Entry,
  type LogStore,
  type Outcome,
  type Storage,
} from '../storage/storage.ts'
import type { Fact } from './events.ts'
import { openJournal } from './journal.ts'
import type { Line } from './write-queue.ts'

/** What became of one submitted entry. */
interface Told {
  content: string
  /** Absent while it waits. */
  outcome?: Outcome | 'unavailable'
}

/** A journal over a database that obeys the test, in a room of user 1. */
async function open(database: MemoryDatabase = createMemoryDatabase()) {
  const real = database.openStorage()
  const roomId = await makeRoom(await openWriter(real), [1])
  const faulty = withFaults(real)
  const clock = createManualClock()
  const gate = createGate()
  const batches: Entry[][] = []
  const commits: Commit[] = []
  const sizes: number[] = []
  const troubles: string[] = []
  const opened: number[] = []
  const log = watch(faulty.storage.log, async (entries) => {
    batches.push(entries)
    await gate.pass()
  })
  const journal = await openJournal({
    log,
    clock,
    observer: { onCommit: (_, { entries }) => sizes.push(entries), onTrouble: (text) => troubles.push(text) },
    onOpen: ({ number }) => opened.push(number),
    onCommit: (commit) => commits.push(commit),
  })

  function submit(entry: Entry, line: Line | null = null): Told {
    const told: Told = { content: entry.kind === 'post' ? entry.content : entry.kind }
    journal.submit(entry, line).then(
      (outcome) => (told.outcome = outcome),
      () => (told.outcome = 'unavailable'),
    )
    return told
  }

  return {
    ...faulty,
    real,
    roomId,
    clock,
    gate,
    batches,
    commits,
    sizes,
    troubles,
    journal,
    submit,
    number: () => opened.at(-1)!,
    say: (content: string, line: Line | null = null) => submit(post(roomId, 1, content), line),
    contents: () => batches.map((batch) => batch.map((entry) => (entry.kind === 'post' ? entry.content : entry.kind))),
    stored: () => storedIn(real, roomId),
  }
}

function watch(log: LogStore, onAppend: (entries: Entry[]) => Promise<void>): LogStore {
  const append: LogStore['append'] = async (journal, firstPosition, entries) => {
    await onAppend(entries)
    return log.append(journal, firstPosition, entries)
  }
  return new Proxy(log, { get: (target, name) => (name === 'append' ? append : Reflect.get(target, name)) })
}

/** While it is shut, appends wait at it. */
function createGate() {
  let opened = Promise.resolve()
  let openIt = () => {}
  return {
    /** Its answer lets through what came to it since. */
    shut() {
      opened = new Promise((resolve) => (openIt = resolve))
      return openIt
    },
    open: () => openIt(),
    pass: () => opened,
  }
}

/** The texts of a room, oldest first. */
async function storedIn({ log }: Storage, roomId: number): Promise<string[]> {
  const messages = await log.listMessages(roomId, { offset: 0, limit: 100_000 })
  return messages.map((message) => message.content).toReversed()
}

const statusOf = ({ outcome }: Told) => (typeof outcome === 'object' ? outcome.status : outcome)
const postsOf = (facts: Fact[]) => facts.flatMap((fact) => (fact.type === 'message.posted' ? [fact.message.content] : []))

describe('the journal gathers', () => {
  it('lets a write wait only for the commit in flight, and stores all that came meanwhile together in the next', async () => {
    const { gate, say, contents, stored } = await open()
    gate.shut()
    say('a')
    await settle()
    for (const content of ['b', 'c', 'd']) say(content)
    await settle()
    expect(contents()).toEqual([['a']])
    gate.open()
    await settle()
    expect(contents()).toEqual([['a'], ['b', 'c', 'd']])
    expect(await stored()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('stores what one turn of the loop brings in one commit, also the first', async () => {
    const { say, contents } = await open()
    for (const content of ['a', 'b', 'c']) say(content)
    await settle()
    expect(contents()).toEqual([['a', 'b', 'c']])
  })

  it('answers and hands out after the commit, never before', async () => {
    const { gate, say, commits } = await open()
    gate.shut()
    const told = say('a')
    await settle()
    expect([told.outcome, commits]).toEqual([undefined, []])
    gate.open()
    await settle()
    expect([statusOf(told), commits.map(({ facts }) => postsOf(facts))]).toEqual(['done', [['a']]])
  })

  it('answers a batch while the next one is under way', async () => {
    const { gate, say } = await open()
    const letFirst = gate.shut()
    const first = say('a')
    await settle()
    const second = say('b')
    gate.shut()
    letFirst()
    await settle()
    expect([statusOf(first), statusOf(second)]).toEqual(['done', undefined])
    gate.open()
    await settle()
    expect(statusOf(second)).toBe('done')
  })

  it('takes 1,000 entries at once and 4 MiB of text, the rest goes in the commits after it', async () => {
    const { say, batches, gate } = await open()
    gate.shut()
    say('first')
    await settle()
    for (let i = 0; i < 1_500; i++) say(`${i}`)
    for (let i = 0; i < 3; i++) say('x'.repeat(3 * 1024 * 1024))
    gate.open()
    await settle()
    expect(batches.map((batch) => batch.length)).toEqual([1, 1_000, 502, 1])
  })

  it('takes three invitations of 100 people at once, as each of those is a row', async () => {
    const { say, submit, roomId, batches, gate } = await open()
    gate.shut()
    say('first')
    await settle()
    const people = (from: number) => Array.from({ length: 100 }, (_, i) => from + i)
    for (let i = 1; i <= 5; i++) submit(invite(roomId, 1, people(i * 1_000)))
    gate.open()
    await settle()
    expect(batches.map((batch) => batch.length)).toEqual([1, 3, 2])
  })

  it('[A8] gives two entries of one client key to two commits, so that the second finds the row of the first', async () => {
    const { submit, roomId, contents, stored } = await open()
    const first = submit(keyed(roomId, 1, 'k', 'a'))
    const again = submit(keyed(roomId, 1, 'k', 'a'))
    const other = submit(keyed(roomId, 1, 'l', 'b'))
    const conflict = submit(keyed(roomId, 1, 'k', 'c'))
    await settle()
    expect(contents()).toEqual([['a', 'b'], ['a'], ['c']])
    expect([first, again, other].map(statusOf)).toEqual(['done', 'repeated', 'done'])
    expect(conflict.outcome).toEqual({ status: 'refused', reason: 'key_conflict' })
    expect(await stored()).toEqual(['a', 'b'])
  })

  it('keeps the order of each sender through batches of every size', async () => {
    const { say, stored } = await open()
    const expected: string[] = []
    for (let turn = 0; turn < 30; turn++) {
      for (let i = 0; i <= turn % 7; i++) {
        expected.push(`${turn}.${i}`)
        say(`${turn}.${i}`)
      }
      if (turn % 3 === 0) await settle()
    }
    await settle()
    expect(await stored()).toEqual(expected)
  })
})

describe('an uncertain commit', () => {
  const cases: { faults: Fault[]; what: string }[] = [
    { faults: ['uncertain-landed'], what: 'landed' },
    { faults: ['uncertain-lost'], what: 'was lost' },
    { faults: ['unforeseen-landed'], what: 'ended with an error that nobody foresaw' },
    { faults: ['uncertain-lost', 'uncertain-landed'], what: 'was lost, then landed' },
    {
      faults: ['uncertain-lost', 'uncertain-lost', 'uncertain-landed', 'uncertain-landed', 'unavailable'],
      what: 'is asked about five times',
    },
    { faults: ['uncertain-landed', 'unavailable', 'unavailable'], what: 'landed while the database then goes away' },
    { faults: ['uncertain-lost', 'unavailable', 'unavailable'], what: 'was lost while the database then goes away' },
  ]
  it.each(cases)('that $what ends as stored once, and is answered only when it stands', async ({ faults }) => {
    const { say, failNext, clock, stored, commits } = await open()
    for (const fault of faults) failNext(fault)
    const first = say('a')
    await settle()
    const behind = say('b')
    for (let retry = 1; retry < faults.length; retry++) {
      await clock.advance(200)
      expect([first.outcome, behind.outcome, commits]).toEqual([undefined, undefined, []])
    }
    await clock.advance(200)
    expect([first, behind].map(statusOf)).toEqual(['done', 'done'])
    expect(await stored()).toEqual(['a', 'b'])
    expect(commits.flatMap(({ facts }) => postsOf(facts))).toEqual(['a', 'b'])
  })

  it('[A15] is given up by its senders after 5 s, while the journal goes on until it knows', async () => {
    const { say, failNext, setAway, clock, stored, commits } = await open()
    failNext('uncertain-landed')
    const told = say('a')
    await settle()
    setAway(true)
    await clock.advance(5_000)
    expect(told.outcome).toBeUndefined()
    await clock.advance(400)
    expect(told.outcome).toBe('unavailable')
    setAway(false)
    await clock.advance(200)
    expect([await stored(), commits.flatMap(({ facts }) => postsOf(facts))]).toEqual([['a'], ['a']])
  })

  it('does not make who waits behind it wait beyond the same 5 s', async () => {
    const { say, failNext, setAway, clock, stored } = await open()
    failNext('uncertain-landed')
    say('a')
    await settle()
    setAway(true)
    const behind = say('b')
    await clock.advance(4_000)
    const late = say('c')
    await clock.advance(1_400)
    expect([behind.outcome, late.outcome]).toEqual(['unavailable', undefined])
    setAway(false)
    await clock.advance(400)
    expect([statusOf(late), await stored()]).toEqual(['done', ['a', 'c']])
  })

  it('whose journal another process closed meanwhile is found where it landed, and is stored in a new journal where it did not', async () => {
    for (const fault of ['uncertain-landed', 'uncertain-lost'] as const) {
      const world = await open()
      const { say, failNext, clock, stored, real } = world
      const before = world.number()
      failNext(fault)
      const told = say('a')
      await settle()
      await real.log.closeJournal(before)
      await clock.advance(200)
      expect([statusOf(told), await stored()]).toEqual(['done', ['a']])
      const next = say('b')
      await settle()
      expect([statusOf(next), await stored()]).toEqual(['done', ['a', 'b']])
    }
  })
})

/** A journal whose post `stuck` meets this fault each time, and that post, with `beside` in its batch. */
async function openStuck(fault: Fault) {
  const world = await open()
  world.failEntries(fault, (entry) => entry.kind === 'post' && entry.content.startsWith('stuck'))
  const before = world.number()
  const stuck = world.say('stuck')
  const beside = world.say('beside')
  await settle()
  const isClosed = async () => (await world.real.log.listJournals(before)).map((record) => record.isClosed)
  const handedOut = () => world.commits.map(({ facts }) => postsOf(facts))
  return { ...world, before, stuck, beside, isClosed, handedOut }
}

describe('a commit that stays uncertain while the database answers', () => {
  it('[A15] is given up after 5 s with its journal, and a new journal goes on with what waited', async () => {
    const { stuck, beside, say, clock, stored, isClosed, troubles, handedOut } = await openStuck('uncertain-lost')
    await clock.advance(4_000)
    const behind = say('behind')
    await clock.advance(1_000)
    expect([stuck.outcome, beside.outcome, behind.outcome, await isClosed()]).toEqual([undefined, undefined, undefined, [false]])
    await clock.advance(200)
    expect([stuck, beside, behind].map(statusOf)).toEqual(['unavailable', 'unavailable', 'done'])
    expect([await stored(), handedOut()]).toEqual([['behind'], [['behind']]])
    expect(await isClosed()).toEqual([true, false])
    expect(troubles).toHaveLength(1)
  })

  it('[A15] is handed out as any other where it stands, before what comes behind it', async () => {
    const { stuck, say, clock, stored, commits, sizes, before, number, handedOut } = await openStuck('uncertain-landed')
    await clock.advance(4_000)
    const behind = say('behind')
    await clock.advance(1_200)
    expect([stuck.outcome, statusOf(behind)]).toEqual(['unavailable', 'done'])
    expect(await stored()).toEqual(['stuck', 'beside', 'behind'])
    expect(handedOut()).toEqual([['stuck', 'beside'], ['behind']])
    expect(commits.map(({ journal }) => journal)).toEqual([before, number()])
    expect(sizes).toEqual([2, 1])
  })

  it('[A15] keeps who waits behind it for 5 s too, also where closing its journal takes longer', async () => {
    const { say, clock, real } = await openStuck('uncertain-lost')
    const behind = say('behind')
    real.log.closeJournal = () => new Promise(() => {})
    await clock.advance(5_200)
    expect(behind.outcome).toBe('unavailable')
  })

  it('[A15] is handed out also where it lands at the last moment before its journal is closed', async () => {
    const { real, clock, stored, before, batches, handedOut } = await openStuck('uncertain-lost')
    const unseen = real.log.closeJournal.bind(real.log)
    real.log.closeJournal = async (journal) => {
      if (journal === before) await real.log.append(journal, 1, batches[0]!)
      return unseen(journal)
    }
    await clock.advance(5_200)
    expect([await stored(), handedOut()]).toEqual([['stuck', 'beside'], [['stuck', 'beside']]])
  })

  it('[A15] is never stored by a try that comes after its journal was closed', async () => {
    const { real, clock, stored, before, batches, say } = await openStuck('uncertain-lost')
    await clock.advance(5_200)
    await expect(real.log.append(before, 1, batches[0]!)).rejects.toBeInstanceOf(JournalClosed)
    say('next')
    await settle()
    expect(await stored()).toEqual(['next'])
  })

  it.each(['uncertain-lost', 'uncertain-landed'] as const)(
    '[A8][A15] (%s) is found by its key or stored then, once',
    async (fault) => {
      const { failEntries, submit, roomId, clock, stored } = await openStuck(fault)
      const first = submit(keyed(roomId, 1, 'k', 'stuck with a key'))
      await clock.advance(11_000)
      expect(first.outcome).toBe('unavailable')
      const isStored = (await stored()).includes('stuck with a key')
      failEntries(fault, () => false)
      const again = submit(keyed(roomId, 1, 'k', 'stuck with a key'))
      await settle()
      expect(statusOf(again)).toBe(isStored ? 'repeated' : 'done')
      expect((await stored()).filter((content) => content === 'stuck with a key')).toHaveLength(1)
    },
  )

  it('[A15] stays with its journal, and all writing waits, while the database is wholly away', async () => {
    const { setAway, clock, stored, isClosed, say, troubles, handedOut } = await openStuck('uncertain-landed')
    setAway(true)
    await clock.advance(50_000)
    const early = say('early')
    await clock.advance(5_200)
    const late = say('late')
    await clock.advance(1_000)
    expect([early.outcome, late.outcome, await isClosed(), handedOut()]).toEqual(['unavailable', undefined, [false], []])
    expect(troubles).toHaveLength(1)
    setAway(false)
    await clock.advance(200)
    expect([statusOf(late), await isClosed()]).toEqual(['done', [true, false]])
    expect(await stored()).toEqual(['stuck', 'beside', 'late'])
    expect(handedOut()).toEqual([['stuck', 'beside'], ['late']])
  })

  it.each(['closeJournal', 'readCommits', 'openJournal'] as const)(
    '[A15] is handed out once also where %s fails at first',
    async (name) => {
      const { real, clock, stored, say, handedOut } = await openStuck('uncertain-landed')
      const unseen = real.log[name].bind(real.log) as (...values: never[]) => Promise<never>
      let failures = 3
      real.log[name] = async (...values: unknown[]) => {
        if (failures-- > 0) throw new StorageUnavailable('away for a moment')
        return unseen(...(values as never[]))
      }
      await clock.advance(5_200)
      const late = say('late')
      await clock.advance(400)
      expect([late.outcome, handedOut()]).toEqual([undefined, []])
      await clock.advance(200)
      expect([statusOf(late), await stored(), handedOut()]).toEqual([
        'done',
        ['stuck', 'beside', 'late'],
        [['stuck', 'beside'], ['late']],
      ])
    },
  )

  it('[A15] does not keep close() from its end, which a database that is away does', async () => {
    for (const isAway of [false, true]) {
      const { journal, setAway, clock, stored, say, isClosed } = await openStuck('uncertain-lost')
      const behind = say('behind')
      setAway(isAway)
      let hasEnded = false
      void journal.close().then(() => (hasEnded = true))
      await clock.advance(15_000)
      expect([hasEnded, behind.outcome]).toEqual([!isAway, 'unavailable'])
      setAway(false)
      await clock.advance(200)
      expect([hasEnded, await stored(), await isClosed()]).toEqual([true, [], [true, true]])
    }
  })
})

describe('a journal that cannot store', () => {
  it('tells its senders at once where the database did nothing, and stores what comes after', async () => {
    const { say, failNext, stored, troubles } = await open()
    failNext('unavailable')
    const first = say('a')
    await settle()
    const second = say('b')
    await settle()
    expect([statusOf(first), statusOf(second), await stored()]).toEqual(['unavailable', 'done', ['b']])
    expect(troubles).toEqual([])
  })

  it('refuses a poisoned entry alone and stores the others in their order', async () => {
    const { say, rejectEntries, stored, troubles } = await open()
    rejectEntries((entry) => entry.kind === 'post' && entry.content.startsWith('poison'))
    const tolds = ['a', 'b', 'poison', 'c', 'd', 'e', 'poison too'].map((content) => say(content))
    await settle()
    expect(tolds.map(statusOf)).toEqual(['done', 'done', 'refused', 'done', 'done', 'done', 'refused'])
    expect(tolds[2]!.outcome).toEqual({ status: 'refused', reason: 'unstorable' })
    expect(await stored()).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(troubles).toHaveLength(2)
    expect(troubles.join()).not.toContain('poison')
  })

  it('that was closed opens a new one and stores the batch there, once', async () => {
    const world = await open()
    const { say, real, stored, troubles, commits } = world
    const before = world.number()
    say('a')
    await settle()
    await real.log.closeJournal(before)
    const told = say('b')
    await settle()
    expect([statusOf(told), await stored()]).toEqual(['done', ['a', 'b']])
    expect(commits.map(({ journal }) => journal)).toEqual([before, world.number()])
    expect(world.number()).toBeGreaterThan(before)
    expect(troubles).toHaveLength(1)
  })

  it('whose database went back closes its journal and goes on in a new one', async () => {
    const database = createMemoryDatabase()
    const world = await open(database)
    const { say, real, stored } = world
    const before = world.number()
    const unseen = real.log.append.bind(real.log)
    let goesBack = true
    // What a restored backup answers: the journal is not where its process thinks.
    real.log.append = async (journal, firstPosition, entries) => {
      if (goesBack && firstPosition > 1) throw new JournalClosed('its position does not follow')
      return unseen(journal, firstPosition, entries)
    }
    say('a')
    await settle()
    const told = say('b')
    await settle()
    goesBack = false
    expect([statusOf(told), await stored()]).toEqual(['done', ['a', 'b']])
    const [old, now] = (await real.log.listJournals(before)).map(({ isClosed }) => isClosed)
    expect([old, now]).toEqual([true, false])
  })

  it('refuses at once what would make more than 20,000 writes wait', async () => {
    const { say, gate, stored } = await open()
    gate.shut()
    say('first')
    await settle()
    const waiting = Array.from({ length: 20_000 }, (_, i) => say(`${i}`))
    const refused = say('one too many')
    await settle()
    expect([refused.outcome, waiting.at(-1)!.outcome]).toEqual(['unavailable', undefined])
    gate.open()
    await settle()
    await settle()
    expect([statusOf(waiting.at(-1)!), (await stored()).length]).toEqual(['done', 20_001])
  })

  it('does not begin to store what has waited for more than 5 s', async () => {
    const { say, gate, clock, stored } = await open()
    gate.shut()
    const slow = say('a')
    await settle()
    const late = say('b')
    await clock.advance(5_001)
    const fresh = say('c')
    gate.open()
    await settle()
    expect([slow, late, fresh].map(statusOf)).toEqual(['done', 'unavailable', 'done'])
    expect(await stored()).toEqual(['a', 'c'])
  })

  it('[A15] stores nothing of a line behind an entry that was given up', async () => {
    const { say, failNext, stored } = await open()
    const line: Line = { isBroken: false }
    failNext('unavailable')
    const lost = say('a', line)
    await settle()
    const behind = say('b', line)
    const other = say('c')
    await settle()
    expect([lost, behind, other].map(statusOf)).toEqual(['unavailable', 'unavailable', 'done'])
    expect(await stored()).toEqual(['c'])
  })

  it('[A15] stores nothing of a line that waited behind an uncertain commit that was given up', async () => {
    const { say, failNext, setAway, clock, stored } = await open()
    const line: Line = { isBroken: false }
    failNext('uncertain-lost')
    say('a', line)
    await settle()
    setAway(true)
    await clock.advance(4_000)
    const behind = say('b', line)
    await clock.advance(2_000)
    setAway(false)
    await clock.advance(400)
    expect([behind.outcome, await stored()]).toEqual(['unavailable', []])
  })

  it('stores what was submitted before close(), refuses what comes behind it and closes itself in storage', async () => {
    const world = await open()
    const { say, gate, journal, stored, real } = world
    gate.shut()
    const tolds = [say('a')]
    await settle()
    tolds.push(say('b'))
    const closing = journal.close()
    const tooLate = say('c')
    gate.open()
    await closing
    await settle()
    expect([...tolds, tooLate].map(statusOf)).toEqual(['done', 'done', 'unavailable'])
    expect(await stored()).toEqual(['a', 'b'])
    expect((await real.log.listJournals(world.number()))[0]).toMatchObject({ isClosed: true })
  })

  it('keeps its own journal alive and closes those of processes that fell silent', async () => {
    let now = 1_700_000_000_000
    const database = createMemoryDatabase({ now: () => now })
    const silent = (await database.openStorage().log.openJournal()).number
    const world = await open(database)
    for (let i = 0; i < 7; i++) {
      now += 10_000
      await world.clock.advance(10_000)
    }
    const isClosed = new Map((await world.real.log.listJournals(1)).map((record) => [record.number, record.isClosed]))
    expect([isClosed.get(silent), isClosed.get(world.number())]).toEqual([true, false])
  })
})

type Step =
  | { do: 'post'; sender: number; key: number | null }
  | { do: 'fault'; fault: Fault }
  | { do: 'poison' }
  | { do: 'stick'; fault: Fault }
  | { do: 'wait'; ms: number }
  | { do: 'away'; isAway: boolean }
  | { do: 'close' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant('post' as const), sender: fc.nat(2), key: fc.option(fc.nat(3), { freq: 3 }) }),
  },
  // `rejected` comes from poisoned entries: a database rejects the same batch each time, and none that it has stored.
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      fault: fc.constantFrom('unavailable' as const, 'uncertain-landed' as const, 'uncertain-lost' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('poison' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('stick' as const),
      fault: fc.constantFrom('uncertain-landed' as const, 'uncertain-lost' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 100, 300, 3_000, 6_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('away' as const), isAway: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const) }) },
)

describe('under random faults', () => {
  it('nothing is lost, doubled or reordered: storage holds what was acknowledged, at most once what was given up, and what was handed out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 80 }), async (steps) => {
        const world = await open()
        const { roomId, submit, failEntries, failNext, setAway, clock, real } = world
        // A post with the name of a fault in it meets that fault each time.
        for (const fault of ['rejected', 'uncertain-landed', 'uncertain-lost'] as const)
          failEntries(fault, (entry) => entry.kind === 'post' && entry.content.includes(fault))
        const lines: Line[] = [0, 1, 2].map(() => ({ isBroken: false }))
        const tolds: (Told & { sender: number; key: number | null })[] = []
        const say = (sender: number, key: number | null, content: string) => {
          const entry =
            key === null ? post(roomId, 1, content) : { ...keyed(roomId, 1, `${sender}.${key}`, content), bodyHash: 'same' }
          const told = submit(entry, lines[sender])
          tolds.push(Object.assign(told, { sender, key }))
        }
        for (const [index, now] of steps.entries()) {
          if (now.do === 'post') say(now.sender, now.key, `${now.sender} ${index}`)
          else if (now.do === 'poison') say(index % 3, null, `${index % 3} ${index} rejected`)
          else if (now.do === 'stick') say(index % 3, null, `${index % 3} ${index} ${now.fault}`)
          else if (now.do === 'fault') failNext(now.fault)
          else if (now.do === 'away') setAway(now.isAway)
          else if (now.do === 'close') await real.log.closeJournal(world.number())
          else await clock.advance(now.ms)
        }
        setAway(false)
        await clock.advance(30_000)
        const stored = await world.stored()
        expect(new Set(stored).size, 'each at most once').toBe(stored.length)
        for (const { content, outcome, sender, key } of tolds) {
          expect(outcome, 'each is told something').toBeDefined()
          const status = typeof outcome === 'object' ? outcome.status : outcome
          if (status === 'done') expect(stored).toContain(content)
          if (status === 'refused') expect(stored).not.toContain(content)
          if (status === 'repeated')
            expect(tolds.some((other) => other.sender === sender && other.key === key && stored.includes(other.content))).toBe(
              true,
            )
        }
        expect(stored.filter((content) => !tolds.some((told) => told.content === content))).toEqual([])
        for (const sender of [0, 1, 2]) {
          const numbers = stored
            .filter((content) => content.startsWith(`${sender} `))
            .map((content) => Number(content.split(' ')[1]))
          expect(numbers, 'order of a line').toEqual(numbers.toSorted((a, b) => a - b))
        }
        const keys = tolds
          .filter(({ content, key }) => key !== null && stored.includes(content))
          .map(({ sender, key }) => `${sender}.${key}`)
        expect(new Set(keys).size, 'one message of a client key').toBe(keys.length)
        expect(
          world.commits.flatMap(({ facts }) => postsOf(facts)),
          'what was handed out is what is stored, in order',
        ).toEqual(stored)
      }),
      { numRuns: Number(process.env.RUNS ?? 300), interruptAfterTimeLimit: 60_000 },
    )
  })
})
