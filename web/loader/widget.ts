/** One widget on one page: keeps what the page asked for, and speaks with the panel. */
import type { Credential, Greeting, Settings, Shade, ToLoader, ToPanel } from '../protocol.ts'
import type { Emit } from './listeners.ts'
import { completeOptions, parseLocale, parseTheme, type CompleteOptions, type Options, type TokenSource } from './options.ts'
import { View } from './view.ts'

/** A panel that has not loaded by then, or not answered its greeting, is loaded again: its server may have been away. */
const answerWithinMs = 15_000

export class Widget {
  readonly #options: CompleteOptions
  readonly #origin: string
  readonly #emit: Emit
  readonly #view: View
  readonly #darkness = matchMedia('(prefers-color-scheme: dark)')
  #port: MessagePort | null = null
  #hasFrame = false
  #isGone = false
  #timer: ReturnType<typeof setTimeout> | undefined
  /** What had the focus as the panel was opened. */
  #before: Element | null = null
  /** What stands before the page's title. */
  #titlePrefix = ''

  /** `origin`: where this script and so the panel is from. Throws TypeError for options without a project. */
  constructor(options: Options, origin: string, emit: Emit) {
    this.#options = completeOptions(options)
    this.#origin = origin
    this.#emit = emit
    this.#view = new View(this.#options.position, {
      toggle: () => this.toggle(),
      close: () => this.close(),
    })
    this.#darkness.addEventListener('change', this.#update)
    this.#update()
    // The page comes first: a frame that is there before its `load` would hold that up.
    if (document.readyState === 'complete') this.#mount()
    else window.addEventListener('load', this.#onLoad)
  }

  open(): void {
    if (this.#isGone || this.#view.isOpen) return
    this.#onLoad()
    this.#before = document.activeElement
    this.#view.setOpen(true)
    this.#tell({ type: 'open', isOpen: true })
    this.#emit('open')
  }

  close(): void {
    if (!this.#view.isOpen) return
    // A page whose focus is elsewhere keeps it there.
    const hadFocus = this.#view.hasFocus
    this.#view.setOpen(false)
    this.#tell({ type: 'open', isOpen: false })
    if (hadFocus) this.#giveFocusBack()
    this.#emit('close')
  }

  toggle(): void {
    if (this.#view.isOpen) this.close()
    else this.open()
  }

  /** Another person, or the same with a new token; null signs out. */
  setUser(token: TokenSource | null): void {
    this.#options.token = token
    void this.#tellCredential('user')
  }

  setLocale(locale: string): void {
    this.#options.locale = parseLocale(locale) ?? this.#options.locale
    this.#update()
  }

  setTheme(theme: string): void {
    this.#options.theme = parseTheme(theme)
    this.#update()
  }

  destroy(): void {
    this.#isGone = true
    this.#setTitle('')
    clearTimeout(this.#timer)
    this.#port?.close()
    this.#port = null
    this.#darkness.removeEventListener('change', this.#update)
    window.removeEventListener('load', this.#onLoad)
    this.#view.remove()
  }

  readonly #onLoad = () => this.#hasFrame || this.#mount()

  readonly #update = () => {
    const { color, locale } = this.#options
    this.#view.setLook(color, this.#shade, locale)
    this.#tell({ type: 'settings', settings: this.#settings })
  }

  get #shade(): Shade {
    const { theme } = this.#options
    return theme === 'auto' ? (this.#darkness.matches ? 'dark' : 'light') : theme
  }

  get #settings(): Settings {
    const { project, locale, color, heading, avatars, sound } = this.#options
    return { project, locale, shade: this.#shade, color, heading, hasAvatars: avatars, hasSound: sound }
  }

  #tell(told: ToPanel): void {
    this.#port?.postMessage(told)
  }

  #mount(): void {
    this.#hasFrame = true
    this.#awaitAnswer()
    this.#view.mountFrame(`${this.#origin}/widget/panel`, (frame) => void this.#greet(frame))
  }

  #awaitAnswer(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#mount(), answerWithinMs)
  }

  async #greet(frame: HTMLIFrameElement): Promise<void> {
    // The page may take its time to find a token.
    clearTimeout(this.#timer)
    this.#port?.close()
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    port1.addEventListener('message', ({ data }: MessageEvent<ToLoader>) => this.#hear(data))
    port1.start()
    const credential = await findCredential(this.#options.token)
    // The widget is gone meanwhile, or the frame has loaded again.
    if (this.#port !== port1) return
    this.#awaitAnswer()
    const greeting: Greeting = { madang: 1, settings: this.#settings, credential, isOpen: this.#view.isOpen }
    frame.contentWindow?.postMessage(greeting, this.#origin, [port2])
  }

  async #tellCredential(type: 'user' | 'renewed'): Promise<void> {
    const { token } = this.#options
    const credential = await findCredential(token)
    // Another call may have come meanwhile.
    if (token === this.#options.token) this.#tell({ type, credential })
  }

  #hear(told: ToLoader): void {
    if (told.type === 'ready') {
      clearTimeout(this.#timer)
      // What has changed while the greeting was on its way.
      this.#tell({ type: 'open', isOpen: this.#view.isOpen })
      this.#emit('ready')
    } else if (told.type === 'close') this.close()
    else if (told.type === 'renew') void this.#tellCredential('renewed')
    else if (told.type === 'message') this.#emit('message', told.message)
    else if (told.type === 'trouble') this.#emit(told.trouble, told.text)
    else this.#showUnread(told.count)
  }

  #showUnread(count: number): void {
    this.#view.setUnread(count)
    this.#setTitle(count > 0 ? `(${count})` : '')
    this.#emit('unread', count)
  }

  /** A number that the page's own title begins with is left alone. */
  #setTitle(prefix: string): void {
    if (!this.#options.title || prefix === this.#titlePrefix) return
    const { title } = document
    const own = title.startsWith(this.#titlePrefix) ? title.slice(this.#titlePrefix.length) : title
    document.title = `${prefix} ${own.trim()}`.trim()
    this.#titlePrefix = prefix
  }

  #giveFocusBack(): void {
    const before = this.#before
    this.#view.focusLauncher()
    if (before instanceof HTMLElement && before.isConnected && before !== document.body) this.#view.focusUnlessOurs(before)
  }
}

/** A source that fails is as if nobody were signed in: the panel says so, and asks again. */
async function findCredential(source: TokenSource | null): Promise<Credential> {
  const canRenew = typeof source === 'function'
  try {
    const token = canRenew ? await source() : source
    return { token: typeof token === 'string' && token !== '' ? token : null, canRenew }
  } catch {
    return { token: null, canRenew }
  }
}
