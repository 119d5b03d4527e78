/** The loader, as the panel knows it. */
import type { Greeting, ToLoader, ToPanel } from '../protocol.ts'

export interface Parent {
  greeting: Greeting
  tell(told: ToLoader): void
  listen(listener: (told: ToPanel) => void): void
}

/**
 * Only the parent window may greet, and only once: nothing else can hand a token in. Which pages may be the parent is said by the
 * answer's `frame-ancestors` (W6).
 */
export function awaitParent(): Promise<Parent> {
  return new Promise((resolve) => {
    window.addEventListener('message', function hear(event: MessageEvent<Greeting>) {
      const [port] = event.ports
      if (window.parent === window || event.source !== window.parent || event.data?.madang !== 1 || !port) return
      window.removeEventListener('message', hear)
      resolve(parentAt(port, event.data))
    })
  })
}

function parentAt(port: MessagePort, greeting: Greeting): Parent {
  return {
    greeting,
    tell: (told) => port.postMessage(told),
    listen(listener) {
      port.addEventListener('message', ({ data }: MessageEvent<ToPanel>) => listener(data))
      port.start()
    },
  }
}
