/** Everything the panel shows and does, as one state that changes as a whole. */
import type { Credential, Settings, ToPanel } from '../protocol.ts'
import * as conversation from './conversation.ts'
import { emptyConversation, type Conversation, type Pending } from './conversation.ts'
import { openKeepsakes, type Keepsakes } from './keepsakes.ts'
import { openLink, type Link, type LinkEvents } from './link.ts'
import type { Parent } from './parent.ts'
import { Seen } from './seen.ts'
import { Signer } from './signer.ts'
import { findPerson, type Person } from './token.ts'
import { playTone } from './tone.ts'

/** `signedOut` without a token, `expired` and `refused` with one that the server does not take. */
export type Standing = 'signedOut' | 'connecting' | 'online' | 'offline' | 'expired' | 'refused'

export interface RoomState {
  settings: Settings
  isOpen: boolean
  me: Person | null
  standing: Standing
  conversation: Conversation
  hasHistory: boolean
  isLoadingOlder: boolean
  /** The newest message that was seen before the panel was opened, where there are newer ones. */
  divider: number | null
}

/** What goes with one person. */
interface Seat {
  me: Person
  link: Link
  keepsakes: Keepsakes
  seen: Seen
  stopHearing(): void
}

const nobody = {
  me: null,
  conversation: emptyConversation,
  hasHistory: false,
  isLoadingOlder: false,
  divider: null,
}

/** Between two tries with new tokens. */
const retryMs = { first: 1_000, most: 60_000 }
/** A refusal that the line's end follows so soon was the database's (A15): it is sent again, a few times. */
const revive = { withinMs: 2_000, times: 5 }

export class Room {
  readonly #parent: Parent
  readonly #signer: Signer
  readonly #listeners = new Set<() => void>()
  readonly #failures = new Map<string, { at: number; times: number }>()
  #state: RoomState
  #seat: Seat | null = null
  #unread = 0
  #isAtEnd = true
  #retryAfterMs = retryMs.first
  #retryTimer: ReturnType<typeof setTimeout> | undefined

  constructor(parent: Parent) {
    const { settings, isOpen, credential } = parent.greeting
    this.#parent = parent
    this.#signer = new Signer(() => parent.tell({ type: 'renew' }))
    this.#state = { ...nobody, settings, isOpen, standing: 'signedOut' }
    parent.listen((told) => this.#hear(told))
    document.addEventListener('visibilitychange', () => this.#look())
    this.#take(credential, false)
  }

  readonly getState = (): RoomState => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly draft = (): string => this.#seat?.keepsakes.draft() ?? ''

  readonly keepDraft = (text: string): void => this.#seat?.keepsakes.keepDraft(text)

  readonly send = (content: string): void => {
    const key = makeKey()
    this.#change(conversation.addPending(this.#state.conversation, key, content, new Date().toISOString()))
    this.#deliver(key)
  }

  readonly retry = (key: string): void => {
    this.#change(conversation.retryPending(this.#state.conversation, key))
    this.#deliver(key)
  }

  readonly discard = (key: string): void => this.#change(conversation.dropPending(this.#state.conversation, key))

  readonly close = (): void => this.#parent.tell({ type: 'close' })

  /** Whether the reader is at the list's end, where old messages may go without his noticing. */
  readonly follow = (isAtEnd: boolean): void => void (this.#isAtEnd = isAtEnd)

  readonly loadOlder = async (): Promise<void> => {
    const { conversation: shown, isLoadingOlder, standing } = this.#state
    const [oldest] = shown.messages
    if (oldest === undefined || isLoadingOlder || !shown.hasOlder || standing !== 'online') return
    this.#set({ isLoadingOlder: true })
    const messages = await this.#seat?.link.findOlder(oldest.id)
    const now = this.#state.conversation
    if (messages && now.messages[0]?.id === oldest.id) this.#change(conversation.addOlder(now, messages))
    this.#set({ isLoadingOlder: false })
  }

  #set(change: Partial<RoomState>): void {
    this.#state = { ...this.#state, ...change }
    for (const listener of this.#listeners) listener()
  }

  #change(next: Conversation): void {
    if (next.pendings !== this.#state.conversation.pendings) this.#seat?.keepsakes.keepOutbox(next.pendings)
    this.#set({ conversation: next })
    this.#look()
  }

  #receive(next: Conversation): void {
    const kept = this.#isAtEnd ? conversation.dropOldest(next) : next
    this.#seat?.seen.drop(next.messages.slice(0, next.messages.length - kept.messages.length))
    this.#change(kept)
  }

  // ------------------------------------------------------------------------------------------------ the page

  #hear(told: ToPanel): void {
    if (told.type === 'open') this.#watch(told.isOpen)
    else if (told.type === 'settings') this.#set({ settings: told.settings })
    else this.#take(told.credential, told.type === 'renewed')
  }

  #watch(isOpen: boolean): void {
    const { isOpen: wasOpen, conversation: shown, divider, standing } = this.#state
    const seen = this.#seat?.seen
    const isOpening = isOpen && !wasOpen
    const opened = seen && seen.count(shown) > 0 ? seen.upTo : null
    this.#set({ isOpen, divider: isOpening ? opened : divider })
    this.#look()
    if (isOpening && standing === 'signedOut' && this.#signer.canRenew) void this.#signer.renew()
  }

  get #isWatched(): boolean {
    return this.#state.isOpen && !document.hidden
  }

  #look(): void {
    const count = this.#state.hasHistory ? (this.#seat?.seen.look(this.#state.conversation, this.#isWatched) ?? 0) : 0
    if (count !== this.#unread) this.#parent.tell({ type: 'unread', count })
    this.#unread = count
  }

  // ------------------------------------------------------------------------------------------------ who

  #take(credential: Credential, isRenewal: boolean): void {
    this.#signer.take(credential)
    // The page could not say just now: it is asked again.
    if (isRenewal && credential.token === null) return
    this.#signIn(credential)
  }

  #signIn(credential: Credential): void {
    const person = findPerson(credential.token)
    const me = person?.project === this.#state.settings.project ? person : null
    if (me === null || me.username !== this.#seat?.me.username) this.#changeSeat(me, credential.token)
    else if (this.#state.standing === 'expired' || this.#state.standing === 'refused') this.#connect()
  }

  #changeSeat(me: Person | null, token: string | null): void {
    this.#leaveSeat()
    if (me !== null) return this.#takeSeat(me)
    this.#set({ ...nobody, standing: 'signedOut' })
    this.#look()
    if (token !== null) this.#tellTrouble('refused', 'the token is not one of this project')
  }

  #takeSeat(me: Person): void {
    const keepsakes = openKeepsakes(me.project, me.username)
    const link = openLink(() => this.#signer.find(), this.#linkEvents(me.username))
    const seen = new Seen(keepsakes, me.username)
    this.#seat = { me, link, keepsakes, seen, stopHearing: keepsakes.onSeen(() => this.#look()) }
    this.#set({ ...nobody, me, conversation: { ...emptyConversation, pendings: keepsakes.outbox() } })
    this.#connect()
  }

  #leaveSeat(): void {
    clearTimeout(this.#retryTimer)
    this.#seat?.stopHearing()
    this.#seat?.link.close()
    this.#seat = null
  }

  #connect(): void {
    clearTimeout(this.#retryTimer)
    this.#setAway()
    this.#seat?.link.connect()
  }

  #setAway(): void {
    this.#set({ standing: this.#state.hasHistory ? 'offline' : 'connecting' })
  }

  #onRefused(text: string): void {
    if (!this.#signer.canRenew) return this.#tellTrouble(this.#signer.isExpired ? 'expired' : 'refused', text)
    this.#signer.drop()
    this.#setAway()
    this.#retryTimer = setTimeout(() => this.#seat?.link.connect(), this.#retryAfterMs)
    this.#retryAfterMs = Math.min(this.#retryAfterMs * 2, retryMs.most)
  }

  #tellTrouble(trouble: 'expired' | 'refused', text: string): void {
    this.#set({ standing: trouble })
    this.#parent.tell({ type: 'trouble', trouble, text })
  }

  // ------------------------------------------------------------------------------------------------ the line

  #linkEvents(me: string): LinkEvents {
    return {
      onHistory: (messages, isFresh) => {
        const put = isFresh ? conversation.startOver : conversation.addMessages
        this.#retryAfterMs = retryMs.first
        this.#set({ standing: 'online', hasHistory: true })
        this.#receive(put(this.#state.conversation, messages, me))
        for (const { key, failure } of this.#state.conversation.pendings) if (failure === null) this.#deliver(key)
      },
      onMessage: (message) => {
        if (message.username !== me && this.#state.settings.hasSound && !this.#isWatched) playTone()
        this.#receive(conversation.addMessages(this.#state.conversation, [message], me))
        this.#parent.tell({ type: 'message', message })
      },
      onEdit: (id, content) => this.#change(conversation.editMessage(this.#state.conversation, id, content)),
      onDelete: (id) => this.#change(conversation.deleteMessage(this.#state.conversation, id)),
      onLost: () => {
        this.#revive()
        this.#setAway()
      },
      onRefused: (text) => this.#onRefused(text),
    }
  }

  #deliver(key: string): void {
    const pending = this.#state.conversation.pendings.find((one) => one.key === key)
    if (pending !== undefined && this.#seat !== null && this.#state.standing === 'online') void this.#send(this.#seat, pending)
  }

  async #send(seat: Seat, { key, ...pending }: Pending): Promise<void> {
    const answer = await seat.link.send({ key, ...pending })
    if (answer === null || seat !== this.#seat) return
    const { username, avatar } = seat.me
    const now = this.#state.conversation
    if ('id' in answer) this.#change(conversation.confirmPending(now, key, { id: answer.id, username, avatar }))
    else {
      this.#failures.set(key, { at: Date.now(), times: (this.#failures.get(key)?.times ?? 0) + 1 })
      this.#change(conversation.failPending(now, key, answer.error))
    }
  }

  #revive(): void {
    const since = Date.now() - revive.withinMs
    for (const [key, { at, times }] of this.#failures) {
      if (at > since && times <= revive.times) this.#change(conversation.retryPending(this.#state.conversation, key))
    }
  }
}

/** `crypto.randomUUID` is not there on plain HTTP. */
function makeKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
