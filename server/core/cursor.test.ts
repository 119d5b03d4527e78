import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  advance,
  formatCursor,
  formatRoomCursor,
  isAllCovered,
  isCovered,
  parseCursor,
  parseRoomCursor,
  type Cursor,
} from './cursor.ts'

const tag = fc.stringMatching(/^[0-9a-z]{8}$/)
const entry = fc.tuple(fc.integer({ min: 1, max: 2 ** 31 }), fc.record({ tag, position: fc.maxSafeInteger().map(Math.abs) }))
const cursor: fc.Arbitrary<Cursor> = fc
  .uniqueArray(entry, { minLength: 1, maxLength: 100, selector: ([journal]) => journal })
  .chain((entries) =>
    fc.record({
      floor: fc.integer({ min: 1, max: Math.min(...entries.map(([journal]) => journal)) }),
      entries: fc.constant(new Map(entries)),
    }),
  )
const roomId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })

const naming = (journals: number) =>
  `1${Array.from({ length: journals }, (_, nth) => `_${(nth + 1).toString(36)}-abcdefgh-1`).join('')}`

describe('[A7] a cursor', () => {
  it('comes back from its text as it was, with a room and without', () => {
    fc.assert(
      fc.property(cursor, roomId, (given, room) => {
        expect(parseCursor(formatCursor(given))).toEqual(given)
        expect(parseRoomCursor(room, formatRoomCursor(room, formatCursor(given)))).toEqual(given)
      }),
    )
  })

  it('is safe in an address as it stands', () => {
    fc.assert(
      fc.property(cursor, roomId, (given, room) => {
        const text = formatRoomCursor(room, formatCursor(given))
        expect(encodeURIComponent(text)).toBe(text)
      }),
    )
  })

  it("of another room is none of this room's", () => {
    fc.assert(
      fc.property(cursor, roomId, roomId, (given, room, other) => {
        fc.pre(room !== other)
        expect(parseRoomCursor(other, formatRoomCursor(room, formatCursor(given)))).toBeNull()
      }),
    )
  })

  it('names 350 journals, as where one node stays while others come and go', () => {
    expect(parseCursor(naming(350))?.entries.size).toBe(350)
  })

  it('covers another where it covers all of its entries, and its floor', () => {
    const at = (text: string) => parseCursor(text)!
    const of = '2_2-aaaaaaaa-5_3-bbbbbbbb-7'
    const covers = (text: string) => isAllCovered(at(text), at(of))
    expect([of, '2_2-aaaaaaaa-6_3-bbbbbbbb-7', '3_3-bbbbbbbb-7_4-cccccccc-1'].map(covers)).toEqual([true, true, true])
    const less = ['2_2-aaaaaaaa-5_3-bbbbbbbb-6', '2_2-aaaaaaaa-5', '1_1-dddddddd-9_2-aaaaaaaa-5_3-bbbbbbbb-7']
    expect(less.map(covers)).toEqual([false, false, false])
  })

  it('is null for any text that is none, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[0-9a-z_.-]{0,60}$/)), (text) => {
        const parsed = parseCursor(text)
        if (parsed) expect(parseCursor(formatCursor(parsed))).toEqual(parsed)
        parseRoomCursor(7, text)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['nothing', ''],
    ['a floor alone', '1'],
    ['a floor and nothing', '1_'],
    ['no floor', '_1-abcdefgh-1'],
    ['a short tag', '1_1-abc-1'],
    ['an upper case tag', '1_1-ABCDEFGH-1'],
    ['no position', '1_1-abcdefgh-'],
    ['a negative position', '1_1-abcdefgh--1'],
    ['a part too many', '1_1-abcdefgh-1-1'],
    ['a blank behind it', '1_1-abcdefgh-1 '],
    ['a floor above its journals', '3_2-abcdefgh-1'],
    ['a number too long', `1_1-abcdefgh-${'z'.repeat(12)}`],
    ['more journals than there can be', naming(351)],
  ])('is not %s', (_, text) => {
    expect(parseCursor(text)).toBeNull()
  })

  it('covers what is below its floor and what its journals were heard up to', () => {
    const given: Cursor = { floor: 3, entries: new Map([[4, { tag: 'abcdefgh', position: 10 }]]) }
    const covered = ([journal, position]: [number, number]) => isCovered(given, { journal, position })
    expect(
      (
        [
          [1, 999],
          [2, 1],
          [4, 1],
          [4, 10],
        ] as [number, number][]
      ).map(covered),
    ).toEqual([true, true, true, true])
    expect(
      (
        [
          [3, 1],
          [4, 11],
          [5, 1],
        ] as [number, number][]
      ).map(covered),
    ).toEqual([false, false, false])
  })

  it('that is advanced covers the stamp as well, and leaves the one it came from alone', () => {
    fc.assert(
      fc.property(cursor, fc.integer({ min: 1, max: 99 }), (given, position) => {
        const journal = Math.max(...given.entries.keys())
        const before = formatCursor(given)
        expect(isCovered(advance(given, { journal, position }, 'abcdefgh'), { journal, position })).toBe(true)
        expect(formatCursor(given)).toBe(before)
      }),
    )
  })
})
