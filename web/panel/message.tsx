import { memo } from 'react'
import type { Locale } from '../protocol.ts'
import { Avatar } from './avatar.tsx'
import { Content } from './content.tsx'
import type { Pending } from './conversation.ts'
import { Icon } from './icons.tsx'
import type { Row } from './rows.ts'
import { textsOf } from './texts.ts'

interface MessageProps {
  row: Extract<Row, { kind: 'message' }>
  locale: Locale
  hasAvatars: boolean
}

export const Message = memo(
  function Message({ row: { message, place }, locale, hasAvatars }: MessageProps) {
    const { isOwn, isFirst, isLast } = place
    const at = new Date(message.created_at)
    const author = isOwn ? textsOf[locale].me : message.username
    return (
      <div className={classOf('message', { own: isOwn, first: isFirst, last: isLast })} data-id={message.id}>
        {!isOwn && (
          <span className="side">
            {isFirst && <Avatar name={message.username} address={hasAvatars ? message.avatar : null} />}
          </span>
        )}
        <div className="said">
          {!isOwn && isFirst ? <div className="author">{author}</div> : <span className="unseen">{author}: </span>}
          <div className="line">
            <div className="bubble" dir="auto">
              <Content text={message.content} />
            </div>
            {isLast && (
              <time className="time" dateTime={message.created_at}>
                {formatTime(at, locale)}
              </time>
            )}
          </div>
        </div>
      </div>
    )
  },
  (one, other) =>
    one.row.message === other.row.message &&
    one.locale === other.locale &&
    one.hasAvatars === other.hasAvatars &&
    one.row.place.isFirst === other.row.place.isFirst &&
    one.row.place.isLast === other.row.place.isLast,
)

interface UnsentProps {
  row: Extract<Row, { kind: 'pending' }>
  locale: Locale
  isOnline: boolean
  onRetry: (key: string) => void
  onDiscard: (key: string) => void
}

export function Unsent({ row: { pending, place }, locale, isOnline, onRetry, onDiscard }: UnsentProps) {
  const texts = textsOf[locale]
  const hasFailed = pending.failure !== null
  return (
    <div className={classOf('message own unsent', { first: place.isFirst, last: place.isLast, failed: hasFailed })}>
      <div className="said">
        <span className="unseen">{texts.me}: </span>
        <div className="line">
          <div className="bubble" dir="auto">
            <Content text={pending.content} />
          </div>
          {!hasFailed && <Waiting text={isOnline ? texts.sending : texts.waiting} />}
        </div>
        {hasFailed && <Failed pending={pending} locale={locale} onRetry={onRetry} onDiscard={onDiscard} />}
      </div>
    </div>
  )
}

function Waiting({ text }: { text: string }) {
  return (
    <span className="time" title={text}>
      <Icon name="clock" />
      <span className="unseen">{text}</span>
    </span>
  )
}

function Failed({
  pending,
  locale,
  onRetry,
  onDiscard,
}: { pending: Pending } & Pick<UnsentProps, 'locale' | 'onRetry' | 'onDiscard'>) {
  const texts = textsOf[locale]
  return (
    <div className="failure">
      <span title={pending.failure ?? ''}>
        <Icon name="alert" />
        {texts.failed}
      </span>
      <button type="button" onClick={() => onRetry(pending.key)}>
        {texts.retry}
      </button>
      <button type="button" onClick={() => onDiscard(pending.key)}>
        {texts.discard}
      </button>
    </div>
  )
}

function classOf(always: string, sometimes: Record<string, boolean>): string {
  return [always, ...Object.keys(sometimes).filter((name) => sometimes[name])].join(' ')
}

const times = { ko: timeFormat('ko'), en: timeFormat('en') }

function timeFormat(locale: Locale): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' })
}

function formatTime(at: Date, locale: Locale): string {
  return Number.isNaN(at.getTime()) ? '' : times[locale].format(at)
}
