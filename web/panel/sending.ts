/** When what is in the field is to be sent, as the browser's input methods have it. */
import { useRef, type CompositionEvent, type FormEvent, type KeyboardEvent, type RefObject } from 'react'

export interface Sending {
  onSubmit: (event: FormEvent) => void
  onKeyDown: (event: KeyboardEvent) => void
  onCompositionStart: () => void
  onCompositionEnd: (event: CompositionEvent) => void
}

/** `send` is called once for each wish to send, and never while something is being composed: it may empty the field. */
export function useSending(field: RefObject<HTMLTextAreaElement | null>, send: () => void): Sending {
  const isComposing = useRef(false)
  const isToSend = useRef(false)

  function submit(): void {
    if (!isComposing.current) return send()
    // The whole text comes with the composition's end, and leaving the field asks for that.
    isToSend.current = true
    field.current?.blur()
    field.current?.focus()
  }

  return {
    onSubmit(event) {
      event.preventDefault()
      submit()
    },
    /**
     * Enter sends, but not one that belongs to an input method: it comes while composing or, from Safari, after the end as key 229. The
     * Enter that Korean input methods pass on after that is a plain one.
     */
    onKeyDown(event) {
      if (event.key !== 'Enter' || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return
      // oxlint-disable-next-line typescript/no-deprecated -- the only mark that Safari leaves
      if (event.keyCode === 229) return
      event.preventDefault()
      if (!event.nativeEvent.isComposing) submit()
    },
    onCompositionStart: () => void (isComposing.current = true),
    onCompositionEnd() {
      isComposing.current = false
      if (isToSend.current) send()
      isToSend.current = false
    },
  }
}
