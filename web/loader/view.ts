/** The launcher and the frame, in a shadow tree beside the page's body: nothing here parses HTML, so Trusted Types do not mind either. */
import { inkOn } from '../color.ts'
import type { Locale, Shade } from '../protocol.ts'
import type { Position } from './options.ts'
import { styles } from './style.ts'

export interface ViewEvents {
  toggle(): void
  /** Esc on the launcher. */
  close(): void
}

const texts = {
  ko: { panel: '채팅', open: '채팅 열기', shut: '채팅 닫기', unread: (count: number) => `안 읽은 메시지 ${count}개` },
  en: {
    panel: 'Chat',
    open: 'Open chat',
    shut: 'Close chat',
    unread: (count: number) => `${count} unread message${count === 1 ? '' : 's'}`,
  },
}

const shapes = {
  talk: 'M12 4c4.7 0 8.5 3.1 8.5 7s-3.8 7-8.5 7c-.9 0-1.7-.1-2.5-.3L5 20l.9-3.7C4.4 15 3.5 13.1 3.5 11c0-3.9 3.8-7 8.5-7zM8.5 11h.01M12 11h.01M15.5 11h.01',
  shut: 'M6 9.5l6 6 6-6',
}

export class View {
  readonly #host = document.createElement('madang-chat')
  readonly #root: ShadowRoot
  readonly #launcher = document.createElement('button')
  readonly #badge = document.createElement('span')
  /** Says what is new to who cannot see the badge. */
  readonly #status = document.createElement('span')
  readonly #stopFollowing: () => void
  #frame: HTMLIFrameElement | null = null
  #locale: Locale = 'ko'
  #unread = 0
  isOpen = false

  constructor(position: Position, events: ViewEvents) {
    const host = this.#host
    host.dataset['side'] = position
    this.#root = host.attachShadow({ mode: 'open' })
    // Constructed, as a strict Content-Security-Policy lets no style element in.
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(styles)
    this.#root.adoptedStyleSheets = [sheet]
    this.#launcher.type = 'button'
    this.#launcher.addEventListener('click', () => events.toggle())
    this.#launcher.addEventListener('keydown', ({ key }) => key === 'Escape' && events.close())
    this.#badge.className = 'badge'
    this.#badge.setAttribute('aria-hidden', 'true')
    this.#status.className = 'status'
    this.#status.setAttribute('role', 'status')
    this.#launcher.append(draw('talk'), draw('shut'), this.#badge)
    this.#root.append(this.#launcher, this.#status)
    this.#stopFollowing = followKeyboard(host)
    // Beside the body: a page's `body > :last-child` and a body that is moved or replaced do not concern us, nor we them.
    document.documentElement.append(host)
    // The top layer is out of reach for a transform, filter or opacity of the page's root.
    host.popover = 'manual'
    host.showPopover?.()
  }

  get hasFocus(): boolean {
    return document.activeElement === this.#host
  }

  setOpen(isOpen: boolean): void {
    this.isOpen = isOpen
    this.#host.toggleAttribute('data-open', isOpen)
    this.#label()
    if (isOpen) this.#frame?.focus()
  }

  setUnread(count: number): void {
    if (count === 0) this.#status.textContent = ''
    else if (count > this.#unread && !this.isOpen) this.#status.textContent = texts[this.#locale].unread(count)
    this.#unread = count
    this.#badge.textContent = count === 0 ? '' : count > 99 ? '99+' : String(count)
    this.#label()
  }

  setLook(color: string, shade: Shade, locale: Locale): void {
    const { style } = this.#host
    style.setProperty('--color', color)
    style.setProperty('--ink', inkOn(color))
    style.setProperty('--paper', shade === 'dark' ? '#181a19' : '#fff')
    this.#locale = locale
    this.#label()
  }

  /**
   * A new frame in the old one's place: one that is sent elsewhere would add to the page's history. It takes the focus of the old one and
   * no other, as nobody has asked for it.
   */
  mountFrame(address: string, onLoad: (frame: HTMLIFrameElement) => void): void {
    const hadFocus = this.#frame !== null && this.#root.activeElement === this.#frame
    this.#frame?.remove()
    const frame = document.createElement('iframe')
    frame.addEventListener('load', () => onLoad(frame))
    frame.src = address
    this.#frame = frame
    this.#label()
    this.#root.append(frame)
    if (hadFocus) frame.focus()
  }

  focusLauncher(): void {
    this.#launcher.focus()
  }

  focusUnlessOurs(element: HTMLElement): void {
    if (element !== this.#host) element.focus()
  }

  remove(): void {
    this.#stopFollowing()
    this.#host.remove()
  }

  #label(): void {
    const { open, shut, panel, unread } = texts[this.#locale]
    const count = this.#unread
    this.#launcher.setAttribute('aria-label', this.isOpen ? shut : count > 0 ? `${open}, ${unread(count)}` : open)
    this.#launcher.setAttribute('aria-expanded', String(this.isOpen))
    if (this.#frame !== null) this.#frame.title = panel
  }
}

const svg = 'http://www.w3.org/2000/svg'

function draw(name: keyof typeof shapes): SVGElement {
  const picture = document.createElementNS(svg, 'svg')
  picture.setAttribute('viewBox', '0 0 24 24')
  picture.setAttribute('class', name)
  picture.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS(svg, 'path')
  path.setAttribute('d', shapes[name])
  picture.append(path)
  return picture
}

/** On a phone the keyboard covers the page's lower part, on some without telling the layout: full screen is what is left of it. */
function followKeyboard({ style }: HTMLElement): () => void {
  const viewport = window.visualViewport
  if (!viewport) return () => {}
  const follow = () => {
    style.setProperty('--top', `${viewport.offsetTop}px`)
    style.setProperty('--height', `${viewport.height}px`)
  }
  follow()
  for (const event of ['resize', 'scroll']) viewport.addEventListener(event, follow)
  return () => {
    for (const event of ['resize', 'scroll']) viewport.removeEventListener(event, follow)
  }
}
