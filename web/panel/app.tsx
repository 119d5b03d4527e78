import { useEffect, useSyncExternalStore, type CSSProperties } from 'react'
import { inkOn } from '../color.ts'
import { Composer } from './composer.tsx'
import { Icon, Yard } from './icons.tsx'
import { MessageList } from './message-list.tsx'
import type { Room, RoomState } from './room.ts'
import { textsOf } from './texts.ts'

export function App({ room }: { room: Room }) {
  const state = useSyncExternalStore(room.subscribe, room.getState)
  const { settings, me } = state
  useEffect(() => {
    const { documentElement: page } = document
    page.lang = settings.locale
    page.dataset['shade'] = settings.shade
    document.title = settings.heading ?? textsOf[settings.locale].heading
  }, [settings])
  useEffect(() => closeAtEscape(room.close), [room])
  const look = { '--color': settings.color, '--ink': inkOn(settings.color) } as CSSProperties
  return (
    <main className="panel" style={look}>
      <Header state={state} onClose={room.close} />
      <Banner state={state} />
      <MessageList state={state} room={room}>
        <Nothing state={state} />
      </MessageList>
      <Composer key={me?.username ?? ''} state={state} room={room} />
    </main>
  )
}

function Header({ state: { settings, standing }, onClose }: { state: RoomState; onClose: () => void }) {
  const texts = textsOf[settings.locale]
  return (
    <header>
      <div className="heading">
        <h1>{settings.heading ?? texts.heading}</h1>
        <p className={`standing ${standing}`}>{texts.standing[standing]}</p>
      </div>
      <button type="button" className="close" aria-label={texts.close} onClick={onClose}>
        <Icon name="close" />
      </button>
    </header>
  )
}

function Banner({ state: { settings, standing } }: { state: RoomState }) {
  const texts = textsOf[settings.locale].banner
  const text = standing === 'offline' || standing === 'expired' || standing === 'refused' ? texts[standing] : null
  return (
    <div role="status">
      {text !== null && (
        <p className={`banner ${standing}`}>
          <Icon name={standing === 'offline' ? 'offline' : 'alert'} />
          {text}
        </p>
      )}
    </div>
  )
}

function Nothing({ state: { settings, standing, hasHistory } }: { state: RoomState }) {
  if (standing !== 'signedOut' && !hasHistory) return null
  const { title, text } = textsOf[settings.locale][standing === 'signedOut' ? 'signedOut' : 'empty']
  return (
    <div className="nothing">
      <Yard />
      <h2>{title}</h2>
      <p>{text}</p>
    </div>
  )
}

/** Esc belongs to an input method first, while it composes. */
function closeAtEscape(close: () => void): () => void {
  const hear = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && !event.isComposing) close()
  }
  document.addEventListener('keydown', hear)
  return () => document.removeEventListener('keydown', hear)
}
