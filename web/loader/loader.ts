/**
 * `<script async src="https://chat.example/widget.js" data-project="myshop" data-token="…"></script>` puts the chat on a page. Without
 * `data-project` it only brings `Madang`, and the page calls `Madang.init({...})`. docs/embed.md tells it all.
 */
import { createListeners, type Listeners } from './listeners.ts'
import { findAttributes, type Options } from './options.ts'
import { Widget } from './widget.ts'

type Calls = 'open' | 'close' | 'toggle' | 'setUser' | 'setLocale' | 'setTheme' | 'destroy'

/** Without a widget, all but `init` and `on` do nothing. */
export interface Madang extends Pick<Widget, Calls>, Omit<Listeners, 'emit'> {
  /** Takes the place of a widget that is there. Throws TypeError without a project. */
  init(options: Options): void
}

declare global {
  interface Window {
    Madang?: Madang
  }
}

function start(script: HTMLScriptElement): void {
  const { origin } = new URL(script.src)
  const { on, off, emit } = createListeners()
  let widget: Widget | null = null
  const madang: Madang = {
    init(options) {
      widget?.destroy()
      widget = new Widget(options, origin, emit)
    },
    open: () => widget?.open(),
    close: () => widget?.close(),
    toggle: () => widget?.toggle(),
    setUser: (token) => widget?.setUser(token),
    setLocale: (locale) => widget?.setLocale(locale),
    setTheme: (theme) => widget?.setTheme(theme),
    on,
    off,
    destroy() {
      widget?.destroy()
      widget = null
    },
  }
  window.Madang = madang
  const attributes = findAttributes(script)
  if (attributes !== null) madang.init(attributes)
}

const script = document.currentScript ?? document.querySelector('script[src$="/widget.js"]')
// A page that has the script twice has one chat.
if (script instanceof HTMLScriptElement && !window.Madang) start(script)
