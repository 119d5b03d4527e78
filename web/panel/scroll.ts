/** Where the reader is in the list: at its end he stays there, further up nothing moves under his eyes. */
import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react'
import type { Room, RoomState } from './room.ts'

/** That near to the end is at the end. */
const nearPx = 48
/** That near to the beginning, older messages are asked for. */
const aheadPx = 160

export interface Scroll {
  list: RefObject<HTMLDivElement | null>
  isAtEnd: boolean
  /** Something came below what is seen. */
  hasNew: boolean
  toEnd: () => void
}

export function useScroll(state: RoomState, room: Room): Scroll {
  const { conversation, isOpen } = state
  const list = useRef<HTMLDivElement>(null)
  const was = useRef({ isAtEnd: true, height: 0, shown: 0, oldest: -1, newest: -1, pendings: 0 })
  const [isAtEnd, setIsAtEnd] = useState(true)
  const [hasNew, setHasNew] = useState(false)

  const toEnd = () => list.current?.scrollTo({ top: list.current.scrollHeight })

  useLayoutEffect(() => {
    const box = list.current!
    const before = was.current
    const oldest = conversation.messages[0]?.id ?? -1
    const newest = conversation.messages.at(-1)?.id ?? -1
    const pendings = conversation.pendings.length
    const isPrepended = oldest < before.oldest && newest >= before.newest
    if (before.isAtEnd || pendings > before.pendings) box.scrollTop = box.scrollHeight
    else if (isPrepended) box.scrollTop += box.scrollHeight - before.height
    if (!before.isAtEnd && newest > before.newest && before.newest !== -1) setHasNew(true)
    was.current = { ...before, height: box.scrollHeight, oldest, newest, pendings }
    if (box.scrollTop < aheadPx) void room.loadOlder()
  }, [conversation, room])

  useEffect(() => {
    const box = list.current!
    const follow = () => {
      // The field has grown, and the watcher has not seen it yet: the reader has not scrolled.
      if (box.clientHeight !== was.current.shown && was.current.isAtEnd) return
      const isNow = box.scrollHeight - box.scrollTop - box.clientHeight < nearPx
      was.current.isAtEnd = isNow
      was.current.height = box.scrollHeight
      setIsAtEnd(isNow)
      room.follow(isNow)
      if (isNow) setHasNew(false)
      if (box.scrollTop < aheadPx) void room.loadOlder()
    }
    // The keyboard comes up, or the field grows.
    const watcher = new ResizeObserver(() => {
      was.current.shown = box.clientHeight
      if (was.current.isAtEnd) box.scrollTop = box.scrollHeight
    })
    watcher.observe(box)
    box.addEventListener('scroll', follow, { passive: true })
    return () => {
      watcher.disconnect()
      box.removeEventListener('scroll', follow)
    }
  }, [room])

  useEffect(() => {
    if (isOpen && state.divider !== null) list.current?.querySelector('.divider')?.scrollIntoView({ block: 'center' })
  }, [isOpen, state.divider])

  return { list, isAtEnd, hasNew, toEnd }
}

/** Whether a first history is in and has been drawn. */
export function useSettled({ hasHistory }: RoomState): boolean {
  const [isSettled, setIsSettled] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setIsSettled(hasHistory), 0)
    return () => clearTimeout(timer)
  }, [hasHistory])
  return isSettled
}
