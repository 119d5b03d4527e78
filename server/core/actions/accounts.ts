/** Accounts: registering, signing in, and the accounts that tokens and, in development, requests make on first touch. */
import type { Core } from '../core.ts'
import { ChatError, checkField } from '../errors.ts'
import type { User, UserId } from '../model.ts'
import type { Directory, UserPatch } from '../../storage/storage.ts'
import { isEmail, isName, isPassword, isText, isUsername, isWithinBytes, limits } from '../texts.ts'

export interface Registration {
  username: string
  email: string
  password: string
  fullName?: string
}

/** As a registration; without an address it gets that of a made-up account (A18). */
export interface NewAccount extends Omit<Registration, 'email'> {
  email: string | null
  departmentId?: number | null
}

/** What an account token says of its bearer (A9). */
export interface Claims {
  username?: unknown
  sub?: unknown
  id?: unknown
  email?: unknown
  full_name?: unknown
  projectId?: unknown
  exp?: unknown
}

export interface Profile {
  fullName?: string
  bio?: string
  avatarUrl?: string
  password?: string
}

export class AccountActions {
  private readonly core: Core
  private readonly directory: Directory

  constructor(core: Core) {
    this.core = core
    this.directory = core.storage.directory
  }

  /** Throws ChatError registration_closed, invalid_field, username_taken, email_taken, too_many. */
  async register(registration: Registration): Promise<User> {
    if (!this.core.settings.isRegistrationOpen) throw new ChatError('registration_closed')
    return this.open(registration)
  }

  /** Makes an account that its password opens, whoever asked for it. Throws ChatError invalid_field, username_taken, email_taken, too_many. */
  async open({ username, email, password, fullName = username, departmentId = null }: NewAccount): Promise<User> {
    const name = username.normalize('NFC')
    checkRegistration(name, email, password)
    if (await this.directory.findUserByName(name)) throw new ChatError('username_taken')
    const passwordHash = await this.core.passwords.hash(password)
    const made = await this.directory.createUser({
      id: null,
      username: name,
      email: email ?? this.placeholderEmail(name),
      fullName,
      passwordHash,
      origin: 'registered',
      departmentId,
    })
    if ('taken' in made) throw new ChatError(made.taken === 'email' ? 'email_taken' : 'username_taken')
    const user = email === null ? await this.namedByItsId(made.user) : made.user
    this.core.users.note(user)
    return user
  }

  /** Throws ChatError wrong_password, too_many. */
  async signIn(username: string, password: string): Promise<User> {
    const name = username.normalize('NFC')
    // bcrypt looks at 72 bytes and no further: a longer password must not count as one that it begins with.
    const mayBe = isUsername(name) && isWithinBytes(password, limits.passwordBytes)
    const user = mayBe ? await this.directory.findUserByName(name) : null
    const hash = user && (await this.directory.findPasswordHash(user.id))
    // An unknown name takes as long as a wrong password, so that names cannot be told apart by time.
    const isRight = await this.core.passwords.verify(password, hash ?? unknownHash)
    if (!user || !hash || !isRight || !user.isActive) throw new ChatError('wrong_password')
    return user
  }

  /** The account that a verified token opens, made on first touch (A9). Throws ChatError bad_credentials. */
  async authenticate(claims: Claims, tokenHash: string): Promise<User> {
    const { id, projectId, exp } = claims
    const name = nameOf(claims)
    if (name === null || projectId !== undefined || !(id === undefined || isId(id))) throw new ChatError('bad_credentials')
    if (exp === undefined && !this.core.settings.isDevelopment) throw new ChatError('bad_credentials')
    const found = await this.directory.findTokenUser(tokenHash, name)
    if (found.isRevoked) throw new ChatError('bad_credentials')
    const user = found.user ?? (await this.makeHostAccount(name, claims))
    const isOpened = id === undefined ? user?.origin !== 'registered' : user?.id === id
    if (!user?.isActive || !isOpened) throw new ChatError('bad_credentials')
    // What he does next names him: the tail need not read him again before it hands that out.
    this.core.users.note(user)
    return user
  }

  private async makeHostAccount(username: string, claims: Claims): Promise<User | null> {
    if (!this.core.settings.makesHostAccounts) return null
    const id = (claims.id as UserId | undefined) ?? null
    const fullName = typeof claims.full_name === 'string' && isName(claims.full_name) ? claims.full_name : username
    const email = typeof claims.email === 'string' && isEmail(claims.email) ? claims.email : null
    const account = { id, username, fullName, passwordHash: null, origin: 'host' as const }
    const made = await this.directory.createUser({ ...account, email: email ?? this.placeholderEmail(username) })
    if ('user' in made) return email ? made.user : this.namedByItsId(made.user)
    if (made.taken === 'email') {
      const again = await this.directory.createUser({ ...account, email: this.placeholderEmail(username) })
      if ('user' in again) return this.namedByItsId(again.user)
    }
    return this.directory.findUserByName(username)
  }

  /** Until its id is known, a made-up address must only be nobody else's. */
  private placeholderEmail(username: string): string {
    return `${this.core.hash(username).slice(0, 24)}@example.com`
  }

  private async namedByItsId(user: User): Promise<User> {
    const named = await this.directory.updateUser(user.id, { email: `user${user.id}@example.com` })
    return named && 'user' in named ? named.user : user
  }

  /** The account, or in development one made up under this id (M2, A18). Throws ChatError user_not_found. */
  async getOrMake(userId: UserId): Promise<User> {
    const known = await this.core.users.find(userId)
    if (known?.isActive) return known
    if (known || !this.core.settings.isDevelopment) throw new ChatError('user_not_found')
    return this.makeUp(userId)
  }

  /** Whoever has this username, also a deactivated account; null where nobody has. */
  async findNamed(username: string): Promise<User | null> {
    return this.directory.findUserByName(username.normalize('NFC'))
  }

  /** As `getOrMake`, by the username. A made-up `user<id>` is the one that its id makes, where that is free (A18). */
  async getOrMakeNamed(username: string): Promise<User> {
    const known = await this.findNamed(username)
    if (known?.isActive) return known
    const isMade = this.core.settings.isDevelopment && known === null && isUsername(username.normalize('NFC'))
    if (!isMade) throw new ChatError('user_not_found')
    const id = Number(/^user([1-9]\d{0,8})$/.exec(username)?.[1] ?? 0)
    if (id > 0 && !(await this.core.users.find(id))) {
      const made = await this.makeUp(id)
      if (made.username === username) return made
    }
    return this.makeUpNamed(username.normalize('NFC'))
  }

  private async makeUpNamed(username: string): Promise<User> {
    const account = { id: null, username, fullName: username, email: this.placeholderEmail(username), passwordHash: null }
    const made = await this.directory.createUser({ ...account, origin: 'development' })
    const user = 'user' in made ? await this.namedByItsId(made.user) : await this.findNamed(username)
    if (!user) throw new ChatError('user_not_found')
    return user
  }

  /**
   * Those of these accounts that are active, each once, in the order given. Unknown ones are made up in development (M2), else they
   * are left out like the deactivated (P9).
   */
  async keepActive(userIds: UserId[]): Promise<User[]> {
    const wanted = [...new Set(userIds)]
    const known = await this.core.users.findAll(wanted)
    if (this.core.settings.isDevelopment) {
      for (const id of wanted) if (!known.has(id)) known.set(id, await this.makeUp(id))
    }
    return wanted.flatMap((id) => known.get(id) ?? []).filter((user) => user.isActive)
  }

  private async makeUp(id: UserId): Promise<User> {
    for (let attempt = 1; attempt <= 100; attempt++) {
      const name = attempt === 1 ? `user${id}` : `user${id}-${attempt}`
      const account = { id, username: name, email: `${name}@example.com`, fullName: name, passwordHash: null }
      const made = await this.directory.createUser({ ...account, origin: 'development' })
      if ('user' in made || made.taken === 'id') return this.get(id)
    }
    throw new ChatError('user_not_found')
  }

  /** Throws ChatError user_not_found. */
  async get(userId: UserId): Promise<User> {
    const user = await this.core.users.find(userId)
    if (!user) throw new ChatError('user_not_found')
    return user
  }

  /** Absent fields stay. Throws ChatError invalid_field, too_many. */
  async update(user: User, { password, ...profile }: Profile): Promise<User> {
    checkProfile(profile)
    const patch: UserPatch = { ...profile }
    if (profile.fullName !== undefined) patch.fullName = profile.fullName.trim() || user.username
    if (password !== undefined) {
      checkField('password', isPassword(password))
      patch.passwordHash = await this.core.passwords.hash(password)
    }
    return this.change(user.id, patch)
  }

  /** As it is given, unchecked; absent fields stay. Deactivation ends what the account opened (A15). Throws ChatError user_not_found, email_taken. */
  async change(userId: UserId, patch: UserPatch): Promise<User> {
    const updated = await this.directory.updateUser(userId, patch)
    if (!updated) throw new ChatError('user_not_found')
    if ('taken' in updated) throw new ChatError('email_taken')
    this.core.users.note(updated.user)
    if (patch.isActive === false) this.core.sessions.endByUser(userId)
    return updated.user
  }

  /** Makes an account for a host (F6); its name is free text, its username made from the address. Throws ChatError invalid_field, email_taken. */
  async create(email: string, fullName: string): Promise<User> {
    checkField('email', isEmail(email))
    checkField('name', isName(fullName))
    for (let attempt = 1; attempt <= 100; attempt++) {
      const username = usernameFrom(email, attempt)
      const made = await this.directory.createUser({ id: null, username, email, fullName, passwordHash: null, origin: 'host' })
      if ('user' in made) return made.user
      if (made.taken === 'email') throw new ChatError('email_taken')
    }
    throw new ChatError('username_taken')
  }

  /** The token counts at no door any more, and what it opened ends (A15). */
  async revokeToken(tokenHash: string, expiresAt: number): Promise<void> {
    await this.directory.revokeToken(tokenHash, expiresAt)
    this.core.sessions.endByToken(tokenHash)
  }
}

/** bcrypt of a random text that nobody knows. */
const unknownHash = '$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZK0qRkWqQe1rQ8y5hG3k9zSg6o3v3a'

function nameOf({ username, sub }: Claims): string | null {
  const name = username ?? sub
  const normal = typeof name === 'string' ? name.normalize('NFC') : ''
  return isUsername(normal) ? normal : null
}

/** Of a user or a department. */
export function isId(id: unknown): id is number {
  return Number.isSafeInteger(id) && (id as number) > 0
}

function usernameFrom(email: string, attempt: number): string {
  const name = [...email.slice(0, email.indexOf('@')).replace(/[/\p{Cc}\s]/gu, '')].slice(0, 40).join('')
  const base = isUsername(name) ? name.normalize('NFC') : 'user'
  return attempt === 1 ? base : `${base}-${attempt}`
}

function checkRegistration(username: string, email: string | null, password: string): void {
  checkField('username', isUsername(username))
  checkField('email', email === null || isEmail(email))
  checkField('password', isPassword(password))
}

function checkProfile({ fullName, bio, avatarUrl }: Profile): void {
  checkField('display_name', fullName === undefined || isText(fullName, limits.name))
  checkField('bio', bio === undefined || isText(bio, limits.description))
  checkField('avatar_url', avatarUrl === undefined || isText(avatarUrl, limits.address))
}
