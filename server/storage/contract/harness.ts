/** What a contract test stands on: a fresh storage, and a writer that keeps a journal's position for it. */
import { onTestFinished } from 'vitest'
import type { Fact } from '../../core/events.ts'
import type { SpaceId, UserId } from '../../core/model.ts'
import type { AppendResult, Entry, Outcome, Refusal, Storage } from '../storage.ts'

export interface OpenOptions {
  /** The largest message id to give out (A2); 2147483647 where absent. */
  messageIdMax?: number
}

export interface ContractStorage {
  storage: Storage
  /** Another process's Storage over the same data. */
  second(): Promise<Storage>
  /** Moves the database's clock by `ms` (back where negative). Absent only with a reason in `Differences.clock`. */
  moveClock?(ms: number): Promise<void>
  /** Closes every Storage that was opened here. */
  close(): Promise<void>
}

/** Opens a storage with nothing in it. */
export type OpenStorage = (options?: OpenOptions) => Promise<ContractStorage>

/** Where an adapter may differ, each with its reason, which stands in the title of the skipped test. */
export interface Differences {
  /** Why the clock of this adapter's database cannot be moved. */
  clock?: string
}

export interface Contract {
  /** Opens a fresh storage for the test that runs and closes it behind it. */
  open: OpenStorage
  differences: Differences
}

export function contractOf(open: OpenStorage, differences: Differences): Contract {
  return {
    differences,
    open: async (options) => {
      const opened = await open(options)
      onTestFinished(() => opened.close())
      return opened
    },
  }
}

/** A journal and its position: what the core's journal does, as little of it as the suite needs. */
export interface Writer {
  journal: number
  /** The position of the next event. */
  next(): number
  /** Appends a batch. */
  write(...entries: Entry[]): Promise<AppendResult>
  /** Appends one entry and resolves with its facts; throws where it was not done. */
  run(entry: Entry): Promise<Fact[]>
  /** Appends one entry and resolves with why it was refused, else with its status. */
  ask(entry: Entry): Promise<Refusal | 'done' | 'repeated'>
}

export async function openWriter(storage: Storage): Promise<Writer> {
  const { number: journal, lastPosition } = await storage.log.openJournal()
  let next = lastPosition + 1
  async function write(...entries: Entry[]): Promise<AppendResult> {
    const result = await storage.log.append(journal, next, entries)
    next = result.lastPosition + 1
    return result
  }
  return {
    journal,
    next: () => next,
    write,
    run: async (entry) => factsOf((await write(entry)).outcomes[0]),
    ask: async (entry) => statusOf((await write(entry)).outcomes[0]),
  }
}

export function statusOf(outcome: Outcome | undefined): Refusal | 'done' | 'repeated' {
  if (outcome === undefined) throw new Error('no outcome for an entry')
  return outcome.status === 'refused' ? outcome.reason : outcome.status
}

export function factsOf(outcome: Outcome | undefined): Fact[] {
  if (outcome?.status !== 'done') throw new Error(`not done: ${JSON.stringify(outcome)}`)
  return outcome.facts
}

/** The one fact of this type among `facts`. */
export function factOf<T extends Fact['type']>(facts: Fact[], type: T): Extract<Fact, { type: T }> {
  const found = facts.filter((fact): fact is Extract<Fact, { type: T }> => fact.type === type)
  const [only] = found
  if (only === undefined || found.length > 1) throw new Error(`${found.length} facts of type ${type}`)
  return only
}

export function typesOf(facts: Fact[]): string[] {
  return facts.map((fact) => fact.type)
}

/** A space of this owner, with these others as members. */
export async function makeSpace(storage: Storage, writer: Writer, ownerId: UserId, others: UserId[] = []): Promise<SpaceId> {
  const space = await storage.directory.createSpace({ name: 'yard', description: null, iconUrl: null, ownerId })
  for (const userId of others) {
    await writer.run({ kind: 'space.join', spaceId: space.id, userId, actorId: userId })
  }
  return space.id
}

/** The user ids of a room's members, in order of entry. */
export async function memberIds(storage: Storage, roomId: number): Promise<UserId[]> {
  return (await storage.log.listMembers(roomId)).map((member) => member.userId)
}

/** Not larger than any counter of rows or moves: "from the newest on". */
export const FROM_THE_NEWEST = Number.MAX_SAFE_INTEGER
