/** Accounts by id, as events name them: a bounded cache in front of the directory. */
import type { Directory } from '../storage/storage.ts'
import type { Clock } from './clock.ts'
import type { ChatEvent, Fact, MemberAdded, PresenceChanged } from './events.ts'
import type { User, UserId } from './model.ts'

/** A name changed on another node shows here after this at the latest; in events of one who was in none for as long, from the second on. */
const freshMs = 30_000
const usersMax = 50_000

export interface UserCache {
  /** Puts in what was just read or changed. */
  note(user: User): void
  find(userId: UserId): Promise<User | null>
  /** Those that exist. */
  findAll(userIds: Iterable<UserId>): Promise<Map<UserId, User>>
  /** Facts with the accounts that they are about; without a wait where all are known. */
  complete(facts: Fact[]): Promise<ChatEvent[]>
  /** The same for presence; changes of accounts that do not exist are left out. */
  completePresence(changes: PresenceChanged[]): Promise<ChatEvent[]>
}

export function createUserCache(directory: Directory, clock: Clock): UserCache {
  return new DirectoryCache(directory, clock)
}

class DirectoryCache implements UserCache {
  private readonly entries = new Map<UserId, { user: User; until: number }>()
  private readonly directory: Directory
  private readonly clock: Clock

  constructor(directory: Directory, clock: Clock) {
    this.directory = directory
    this.clock = clock
  }

  note(user: User): void {
    const now = this.clock.now()
    const held = this.entries.get(user.id)
    // Of two readings under way at once the older one may come last.
    if (held && held.until > now && held.user.updatedAt > user.updatedAt) return
    this.entries.delete(user.id)
    if (this.entries.size >= usersMax) this.entries.delete(this.entries.keys().next().value!)
    this.entries.set(user.id, { user, until: now + freshMs })
  }

  async findAll(userIds: Iterable<UserId>): Promise<Map<UserId, User>> {
    const found = new Map<UserId, User>()
    const missing = new Set<UserId>()
    const now = this.clock.now()
    for (const id of userIds) {
      const entry = this.entries.get(id)
      if (entry && entry.until > now) found.set(id, entry.user)
      else missing.add(id)
    }
    if (missing.size === 0) return found
    for (const user of await this.directory.findUsers([...missing])) {
      this.note(user)
      found.set(user.id, user)
    }
    return found
  }

  /** Null where one is not known. */
  private findKnown(userIds: Set<UserId>): Map<UserId, User> | null {
    const known = new Map<UserId, User>()
    for (const id of userIds) {
      const entry = this.entries.get(id)
      if (!entry) return null
      known.set(id, entry.user)
    }
    return known
  }

  async find(userId: UserId): Promise<User | null> {
    return (await this.findAll([userId])).get(userId) ?? null
  }

  /** On the way of every message: what is known goes out as it is, and is refreshed beside where it is old. */
  async complete(facts: Fact[]): Promise<ChatEvent[]> {
    const userIds = namedIn(facts)
    const known = this.findKnown(userIds)
    const fresh = this.findAll(userIds)
    if (known !== null) fresh.catch(() => {})
    const users = known ?? (await fresh)
    const userOf = (userId: UserId) => users.get(userId) ?? unknownUser(userId)
    const invite = createInviter(userOf)
    return facts.map((fact) => {
      const event = Object.assign(fact, { user: userOf(fact.userId) })
      return fact.type === 'member.added' ? Object.assign(event, { invitation: invite(fact) }) : event
    })
  }

  async completePresence(changes: PresenceChanged[]): Promise<ChatEvent[]> {
    const users = await this.findAll(new Set(changes.map((change) => change.userId)))
    return changes.flatMap((change) => {
      const user = users.get(change.userId)
      return user ? [{ ...change, user }] : []
    })
  }
}

function namedIn(facts: Fact[]): Set<UserId> {
  const named = new Set(facts.map((fact) => fact.userId))
  for (const fact of facts) {
    if (fact.type !== 'member.added') continue
    if (fact.actorId !== null) named.add(fact.actorId)
    for (const userId of fact.together) named.add(userId)
  }
  return named
}

type Invitation = NonNullable<ChatEvent['invitation']>

/** A thousand who were let in together are a thousand facts that name them all: these share one list. */
function createInviter(userOf: (userId: UserId) => User): (fact: MemberAdded) => Invitation {
  let last: { together: UserId[]; invited: User[] } = { together: [], invited: [] }
  return ({ actorId, together }) => {
    const isSame = together.length === last.together.length && together.every((userId, nth) => userId === last.together[nth])
    if (!isSame) last = { together, invited: together.map(userOf) }
    return { inviter: actorId === null ? null : userOf(actorId), invited: last.invited }
  }
}

/** Stands in for an account that the directory does not hold, so that its messages still show. */
export function unknownUser(id: UserId): User {
  const name = `user${id}`
  return {
    id,
    username: name,
    email: `${name}@example.com`,
    fullName: name,
    bio: null,
    avatarUrl: null,
    origin: 'host',
    departmentId: null,
    isActive: false,
    createdAt: 0,
    updatedAt: 0,
  }
}
