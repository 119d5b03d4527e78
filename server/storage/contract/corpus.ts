/** Messages as people of four languages write them: words from a few frequent to many rare, spellings and cases mixed. */

export interface Corpus {
  texts: string[]
  /** What to search it for: words, parts of them, parts of texts, and what no message holds. */
  queries: string[]
}

type Random = () => number

/** mulberry32: the same corpus for the same seed. */
function createRandom(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

export function makeCorpus(size: number, seed: number): Corpus {
  const random = createRandom(seed)
  const vocabularies = [
    makeWords(random, { from: 0xac00, count: 11_172, joint: ' ' }),
    makeWords(random, { from: 0x61, count: 26, joint: ' ' }),
    makeWords(random, { from: 0x3041, count: 83, joint: '' }),
    makeWords(random, { from: 0x4e00, count: 20_000, joint: '' }),
  ]
  const texts = Array.from({ length: size }, () => respell(random, makeText(random, pick(random, vocabularies))))
  return { texts, queries: Array.from({ length: 120 }, () => makeQuery(random, texts, vocabularies)) }
}

interface Vocabulary {
  words: string[]
  /** Between two words. */
  joint: string
}

interface Script {
  /** Its first letter, and how many it has. */
  from: number
  count: number
  joint: string
}

function makeWords(random: Random, { from, count, joint }: Script): Vocabulary {
  const letters = Array.from({ length: 300 }, () => String.fromCodePoint(from + Math.floor(random() * count)))
  const word = () => Array.from({ length: 1 + Math.floor(random() * 4) }, () => pickFrequent(random, letters)).join('')
  return { words: Array.from({ length: 2_000 }, word), joint }
}

function makeText(random: Random, { words, joint }: Vocabulary): string {
  return Array.from({ length: 1 + Math.floor(random() * 10) }, () => pickFrequent(random, words)).join(joint)
}

function respell(random: Random, text: string): string {
  const endings = ['', '', '', ' 100%', ' a_b', ' \\', ' 🎉', '\n한 줄 더', ' Ǆ']
  const ended = text + pick(random, endings)
  return pick(random, [ended, ended.normalize('NFD'), ended.toUpperCase()])
}

function makeQuery(random: Random, texts: string[], vocabularies: Vocabulary[]): string {
  const letters = Array.from(pick(random, texts).normalize('NFC'))
  const from = Math.floor(random() * letters.length)
  const part = letters.slice(from, from + 1 + Math.floor(random() * 6)).join('')
  const { words } = pick(random, vocabularies)
  const query = pick(random, [part, part, pick(random, words), pickFrequent(random, words), `${part}뷁`, '%', '_', 'a_b', '\\'])
  return respellQuery(random, query)
}

function respellQuery(random: Random, query: string): string {
  return pick(random, [query, query.normalize('NFD'), query.toUpperCase(), query.toLowerCase()])
}

function pick<T>(random: Random, of: T[]): T {
  return of[Math.floor(random() * of.length)]!
}

/** The nth about n times as rarely as the first. */
function pickFrequent<T>(random: Random, of: T[]): T {
  return of[Math.floor((of.length + 1) ** random()) - 1]!
}
