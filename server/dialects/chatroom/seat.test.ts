import { expect, test } from 'vitest'
import { unknownUser } from '../../core/user-cache.ts'
import { createSession } from '../../core/session.ts'
import { cursorFormat } from './encode.ts'
import { Seat } from './seat.ts'

/** A seat with cursors that count up, and what its socket was written. */
function openSeat() {
  const written: string[] = []
  const ended: number[] = []
  const format = { ...cursorFormat, join: (texts: string[]) => Buffer.from(texts.join('')) }
  const session = createSession({ user: unknownUser(1), format, tokenHash: null, hasOneRoom: false, heldBytesMax: 1e6 })
  session.connect({
    write: (bytes) => void written.push(String(bytes)),
    queuedBytes: 0,
    drained: async () => {},
    close: (code) => void ended.push(code),
  })
  let last = 0
  /** What reading the cursor brings about. */
  const onRead = { do: () => {} }
  const seat = new Seat(session, '', () => {
    onRead.do()
    return `c${++last}`
  })
  return { seat, session, written, ended, onRead }
}

test('[C3] an answer goes at once, and behind what is held, with the cursor of when it goes', () => {
  const { seat, session, written } = openSeat()
  seat.answer((cursor) => `a ${cursor}`)
  session.holdAnew()
  seat.answer((cursor) => `b ${cursor}`)
  session.deliver(Buffer.from('held'))
  expect(written).toEqual(['a c1'])
  seat.release()
  expect(written).toEqual(['a c1', 'held', 'b c3'])
})

test('[C3][C12] what the socket holds may be forgotten, and the answers are not', () => {
  const { seat, session, written } = openSeat()
  session.holdAnew()
  session.deliver(Buffer.from('held'))
  seat.answer(() => 'answer')
  session.holdAnew()
  seat.release()
  seat.release()
  expect(written).toEqual(['answer'])
})

test('[C12] where a hold begins as its cursor is read, an answer waits for the end of that', () => {
  const { seat, session, written, onRead } = openSeat()
  session.holdAnew()
  for (const text of ['a', 'b']) seat.answer(() => text)
  onRead.do = () => (session.held ??= [])
  seat.release()
  expect(written).toEqual([])
  onRead.do = () => {}
  seat.release()
  expect(written).toEqual(['a', 'b'])
})

test('[A15] a socket whose answers pile up while it is held ends', () => {
  const { seat, session, ended } = openSeat()
  session.holdAnew()
  for (let nth = 0; nth < 5_000; nth++) seat.answer(() => 'answer')
  expect(ended).toEqual([])
  seat.answer(() => 'one more')
  expect(ended).toEqual([1013])
})
