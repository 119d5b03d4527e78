/**
 * What the loader on the host's page and the panel in its frame tell each other. All of it goes through a MessagePort that the loader
 * hands over once, in a message to the panel's exact origin: the page's own `message` listeners never see any of it (W7).
 */

export type Locale = 'ko' | 'en'
/** `auto` is settled by the loader, as a frame may be told another colour scheme than its page. */
export type Shade = 'light' | 'dark'

/** What the panel needs of the page's wishes. */
export interface Settings {
  /** A token of another project is not used. */
  project: string
  locale: Locale
  shade: Shade
  /** `#rrggbb`. */
  color: string
  /** The panel's heading; null for the language's own word. */
  heading: string | null
  hasAvatars: boolean
  hasSound: boolean
}

export interface Credential {
  /** Null: nobody is signed in. Never kept, never in an address. */
  token: string | null
  /** Whether the page can be asked for another. */
  canRenew: boolean
}

export interface ChatMessage {
  id: number
  username: string
  avatar: string | null
  content: string
  /** ISO 8601. */
  created_at: string
}

export type Trouble = 'expired' | 'refused'

export type ToPanel =
  | { type: 'settings'; settings: Settings }
  | { type: 'open'; isOpen: boolean }
  /** The page's wish: somebody else, the same with a new token, or nobody. */
  | { type: 'user'; credential: Credential }
  /** The answer to `renew`. Without a token the page could not say just now: nobody is signed out by it. */
  | { type: 'renewed'; credential: Credential }

export type ToLoader =
  | { type: 'ready' }
  | { type: 'close' }
  | { type: 'unread'; count: number }
  | { type: 'message'; message: ChatMessage }
  | { type: 'renew' }
  | { type: 'trouble'; trouble: Trouble; text: string }

/** The one message that goes through the window; the port comes with it. */
export interface Greeting {
  madang: 1
  settings: Settings
  credential: Credential
  isOpen: boolean
}
