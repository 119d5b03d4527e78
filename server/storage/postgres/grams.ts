/**
 * What the search index is made of: pairs of neighbouring code points of a folded text, each hashed with its room and stretch of
 * the log to 32 bits. Pairs, as most Korean words have two syllables; with the room, so that a word costs it nothing for being
 * frequent in others; with the stretch, so that the newest messages are found without the others that hold the same. What a
 * hash names is a candidate only: its text decides.
 */
import type { RoomId } from '../../core/model.ts'
import { searchSeparator } from '../../core/texts.ts'

/** Seqs. A room of a million has 16 stretches to look through where a word is rare, and 63 messages in each that hold one of a thousandth. */
export const STRETCH = 65_536
/** From here on (Hangul, Han, kana, emoji) one code point may be a word, and stands in the index by itself too. */
const WORDS_FROM = 0x1100
/** A long text has enough to choose by in a few of its pairs. */
const ASKED_MAX = 16

/** The grams of a message's searched text, without doubles. */
export function gramsOf({ roomId, seq }: { roomId: RoomId; seq: number }, searched: string): number[] {
  const seed = seedOf(roomId, stretchOf(seq))
  const grams = new Set<number>()
  for (const part of searched.split(searchSeparator)) {
    let before = 0
    for (const character of part) {
      const point = character.codePointAt(0)!
      const single = mix(seed ^ point)
      if (point >= WORDS_FROM) grams.add(single)
      if (before !== 0) grams.add(mix(before + point))
      before = single
    }
  }
  return [...grams]
}

export function stretchOf(seq: number): number {
  return Math.floor(seq / STRETCH)
}

/** Whether the index knows the folded text by any gram. */
export function hasGrams(folded: string): boolean {
  return gramsToFind(0, 0, folded).length > 0
}

/** Grams that every message of the room's stretch that holds the folded text has. */
export function gramsToFind(roomId: RoomId, stretch: number, folded: string): number[] {
  const points = Array.from(folded, (character) => character.codePointAt(0)!)
  const seed = seedOf(roomId, stretch)
  const [only = 0] = points
  if (points.length === 1) return only < WORDS_FROM ? [] : [mix(seed ^ only)]
  const pairs = new Set(points.slice(1).map((point, before) => mix(mix(seed ^ points[before]!) + point)))
  const every = Math.max(pairs.size / ASKED_MAX, 1)
  return [...pairs].filter((_, index) => Math.floor(index / every) !== Math.floor((index - 1) / every))
}

/** Of all 53 bits of the id. */
function seedOf(roomId: RoomId, stretch: number): number {
  return mix(mix((roomId | 0) ^ mix(Math.floor(roomId / 2 ** 32) + 1)) + stretch)
}

/** The finalizer of MurmurHash3: each bit of the answer depends on each bit given. */
function mix(bits: number): number {
  let hash = bits | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
