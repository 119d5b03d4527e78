import { useEffect, useRef, useState } from 'react'
import { Icon } from './icons.tsx'
import type { Room, RoomState } from './room.ts'
import { useSending } from './sending.ts'
import { textsOf } from './texts.ts'

/** W4, in code points. */
const lengthMax = 4000
/** From so many left on, the number is shown. */
const warnFrom = 200

/**
 * The field is the browser's own and not React's: what an input method is composing must never be written over. So its text is read
 * when it is sent, and emptied only while nothing is being composed.
 */
export function Composer({ state, room }: { state: RoomState; room: Room }) {
  const texts = textsOf[state.settings.locale]
  const field = useRef<HTMLTextAreaElement>(null)
  const [length, setLength] = useState(() => lengthOf(room.draft()))
  const isSignedIn = state.me !== null
  const left = lengthMax - length
  const { onSubmit, ...sending } = useSending(field, send)

  useEffect(() => (state.isOpen ? focusWithPanel(field.current!) : undefined), [state.isOpen, isSignedIn])
  useEffect(() => fit(field.current!), [])

  function note(): void {
    const { value } = field.current!
    fit(field.current!)
    setLength(lengthOf(value))
    room.keepDraft(value)
  }

  function send(): void {
    const box = field.current!
    const text = box.value.trim()
    if (!isSignedIn || text === '' || lengthOf(text) > lengthMax) return
    box.value = ''
    note()
    room.send(text)
  }

  return (
    <form className="composer" onSubmit={onSubmit}>
      <div className="field">
        <textarea
          ref={field}
          rows={1}
          aria-label={texts.field}
          placeholder={texts.placeholder}
          defaultValue={room.draft()}
          disabled={!isSignedIn}
          enterKeyHint="send"
          dir="auto"
          onInput={note}
          {...sending}
        />
        <span className={left < 0 ? 'count over' : 'count'} role="status">
          {left < warnFrom && texts.left(left)}
        </span>
      </div>
      <SendButton label={texts.send} isOff={!isSignedIn || length === 0 || left < 0} />
    </form>
  )
}

/** Pressing it leaves the focus in the field, or a phone's keyboard would go away. */
function SendButton({ label, isOff }: { label: string; isOff: boolean }) {
  return (
    <button
      type="submit"
      className="send"
      aria-label={label}
      disabled={isOff}
      onPointerDown={(event) => event.preventDefault()}
      onMouseDown={(event) => event.preventDefault()}
    >
      <Icon name="send" />
    </button>
  )
}

/** At once where the panel has the page's focus, else as soon as it gets it: it is the page's to give. */
function focusWithPanel(box: HTMLTextAreaElement): () => void {
  const focus = () => box.focus({ preventScroll: true })
  if (document.hasFocus()) focus()
  else window.addEventListener('focus', focus, { once: true })
  return () => window.removeEventListener('focus', focus)
}

function lengthOf(text: string): number {
  return [...text.trim()].length
}

/** As high as its text, where the browser does not do that by itself. */
function fit(box: HTMLTextAreaElement): void {
  if (CSS.supports('field-sizing', 'content')) return
  box.style.height = 'auto'
  box.style.height = `${box.scrollHeight}px`
}
