/** What a host's page may ask for: as attributes of the script element, or as an object to `Madang.init`. */
import type { Locale } from '../protocol.ts'

export type Theme = 'light' | 'dark' | 'auto'
export type Position = 'left' | 'right'
/** A token that the host's back end signed, or how to get one: called at first and whenever one has expired. */
export type TokenSource = string | (() => string | Promise<string>)

export interface Options {
  project: string
  /** Absent: nobody is signed in yet, see `setUser`. */
  token?: TokenSource | null
  /** The page's language, else the browser's, where it is one of ours. */
  locale?: Locale
  /** `auto` by default. */
  theme?: Theme
  /** `right` by default: which lower corner. */
  position?: Position
  /** `#rgb` or `#rrggbb`. */
  color?: string
  /** The panel's heading. */
  heading?: string
  /** On by default; off asks nobody for an image. */
  avatars?: boolean
  /** Off by default: a tone for what comes while nobody looks. */
  sound?: boolean
  /** Off by default: the number of unread messages before the page's title. */
  title?: boolean
}

export type CompleteOptions = Required<Omit<Options, 'heading' | 'token'>> & { heading: string | null; token: TokenSource | null }

const defaultColor = '#1d6b54'

/** Unknown words fall back to what is usual: a typo must not take the chat from a page. Throws TypeError without a project. */
export function completeOptions(given: Options): CompleteOptions {
  if (typeof given?.project !== 'string' || given.project === '') throw new TypeError('Madang: a project is needed')
  return {
    project: given.project,
    token: given.token || null,
    locale: parseLocale(given.locale) ?? usualLocale(),
    theme: parseTheme(given.theme),
    position: given.position === 'left' ? 'left' : 'right',
    color: parseColor(given.color) ?? defaultColor,
    heading: given.heading || null,
    avatars: given.avatars !== false,
    sound: given.sound === true,
    title: given.title === true,
  }
}

/** Null where the element names no project: the page then calls `Madang.init` itself. */
export function findAttributes({ dataset }: HTMLScriptElement): Options | null {
  if (!dataset['project']) return null
  const { project, token, locale, theme, position, color, heading, avatars, sound, title } = dataset
  const given = { project, token, locale, theme, position, color, heading, avatars: avatars !== 'off' }
  return { ...given, sound: sound === 'on', title: title === 'on' } as Options
}

export function parseLocale(word: unknown): Locale | null {
  const language = typeof word === 'string' ? word.slice(0, 2).toLowerCase() : ''
  return language === 'ko' || language === 'en' ? language : null
}

export function parseTheme(word: unknown): Theme {
  return word === 'light' || word === 'dark' ? word : 'auto'
}

function usualLocale(): Locale {
  return parseLocale(document.documentElement.lang) ?? parseLocale(navigator.language) ?? 'ko'
}

/** `#rrggbb`. */
function parseColor(text: unknown): string | null {
  if (typeof text !== 'string' || !/^#([\da-f]{3}){1,2}$/i.test(text)) return null
  return text.length === 7 ? text : text.replace(/[^#]/g, '$&$&')
}
