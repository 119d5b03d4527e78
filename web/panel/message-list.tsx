import { useMemo, type ReactNode } from 'react'
import type { Locale } from '../protocol.ts'
import { Icon } from './icons.tsx'
import { Message, Unsent } from './message.tsx'
import type { Room, RoomState } from './room.ts'
import { rowsOf, type Row } from './rows.ts'
import { useScroll, useSettled } from './scroll.ts'
import { textsOf } from './texts.ts'

interface MessageListProps {
  state: RoomState
  room: Room
  /** In place of messages, where there are none. */
  children: ReactNode
}

/**
 * A `log` tells a screen reader what is added at its end. While a history or older messages are put in, it is not live: nobody wants
 * fifty messages read out.
 */
export function MessageList({ state, room, children }: MessageListProps) {
  const { conversation, me, divider, settings, isLoadingOlder } = state
  const { locale } = settings
  const texts = textsOf[locale]
  const rows = useMemo(() => rowsOf(conversation, me?.username ?? '', divider), [conversation, me?.username, divider])
  const { list, isAtEnd, hasNew, toEnd } = useScroll(state, room)
  const isSettled = useSettled(state)
  return (
    <div className="stage">
      <div
        ref={list}
        className="log"
        role="log"
        aria-label={texts.log}
        aria-live={isSettled && !isLoadingOlder ? 'polite' : 'off'}
        tabIndex={0}
      >
        {rows.length === 0 ? children : <Top state={state} />}
        {rows.map((row) => (
          <Line key={row.key} row={row} state={state} room={room} />
        ))}
      </div>
      {!isAtEnd && (
        <button
          type="button"
          className={hasNew ? 'jump new' : 'jump'}
          onClick={toEnd}
          aria-label={hasNew ? texts.newest : texts.toEnd}
        >
          {hasNew && <span>{texts.newest}</span>}
          <Icon name="down" />
        </button>
      )}
    </div>
  )
}

function Top({ state: { conversation, settings, isLoadingOlder } }: { state: RoomState }) {
  const texts = textsOf[settings.locale]
  if (isLoadingOlder) return <p className="top">{texts.loadingOlder}</p>
  return conversation.hasOlder ? <p className="top" /> : <p className="top">{texts.beginning}</p>
}

function Line({ row, state, room }: { row: Row; state: RoomState; room: Room }) {
  const { locale, hasAvatars } = state.settings
  if (row.kind === 'day') return <p className="day">{days[locale].format(row.at)}</p>
  if (row.kind === 'divider') return <p className="divider">{textsOf[locale].divider}</p>
  if (row.kind === 'message') return <Message row={row} locale={locale} hasAvatars={hasAvatars} />
  return <Unsent row={row} locale={locale} isOnline={state.standing === 'online'} onRetry={room.retry} onDiscard={room.discard} />
}

const days = { ko: dayFormat('ko'), en: dayFormat('en') }

function dayFormat(locale: Locale): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(locale, { year: 'numeric', month: 'long', day: 'numeric', weekday: 'long' })
}
