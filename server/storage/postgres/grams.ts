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
  return partsToAsk(folded).length > 0
}

/** Of each list every message of these stretches of the room that holds the folded text has one. */
export function gramsToFind(roomId: RoomId, stretches: number[], folded: string): number[][] {
  const seeds = stretches.map((stretch) => seedOf(roomId, stretch))
  return partsToAsk(folded).map(([first, second]) => {
    const gramOf = (seed: number) => (second === undefined ? mix(seed ^ first) : mix(mix(seed ^ first) + second))
    return seeds.map(gramOf)
  })
}

/** Code points: pairs of the text, or its only one where that may be a word. */
function partsToAsk(folded: string): [number, number?][] {
  const letters = Array.from(folded)
  const points = letters.map((letter) => letter.codePointAt(0)!)
  const [only = 0] = points
  if (points.length === 1) return only < WORDS_FROM ? [] : [[only]]
  const pairs = new Map(
    points.slice(1).map((point, before) => [`${letters[before]}${letters[before + 1]}`, [points[before]!, point]]),
  )
  const every = Math.max(pairs.size / ASKED_MAX, 1)
  const isAsked = (index: number) => Math.floor(index / every) !== Math.floor((index - 1) / every)
  return [...pairs.values()].filter((_, index) => isAsked(index)) as [number, number][]
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
