import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Message } from './model.ts'
import {
  foldText,
  isFileUrl,
  isStorable,
  isUsername,
  isWithin,
  limits,
  parseClientKey,
  searchedTextOf,
  searchSeparator,
} from './texts.ts'

const shown = (text: string) =>
  text.length > 40 ? `${JSON.stringify(text.slice(0, 20))}… (${text.length})` : JSON.stringify(text)
const named = (texts: string[]) => texts.map((text) => [shown(text), text] as const)

describe('[A4] what can be stored', () => {
  it.each(named(['', ' ', '한글', '😀', '\u{10ffff}', '\ufffd', '\u0001\u001f\u007f', '\r\n']))('%s is', (_, text) => {
    expect(isStorable(text)).toBe(true)
  })
  it.each(named(['\0', 'a\0b', '\ud83d', '\ude00', '\ude00\ud83d', 'a\ud800']))('%s is not', (_, text) => {
    expect(isStorable(text)).toBe(false)
  })
})

describe('[A17] lengths', () => {
  it('are counted in code points', () => {
    expect(isWithin('a'.repeat(100), 100)).toBe(true)
    expect(isWithin('a'.repeat(101), 100)).toBe(false)
    expect(isWithin('😀'.repeat(100), 100)).toBe(true)
    expect(isWithin('😀'.repeat(101), 100)).toBe(false)
    expect(isWithin('a'.repeat(99) + '😀', 100)).toBe(true)
    expect(isWithin('a'.repeat(100) + '😀', 100)).toBe(false)
    expect(isWithin('', 0)).toBe(true)
  })
  it('are those of the decisions, and a message takes 20 different reactions', () => {
    expect(limits).toEqual({
      message: 10_000,
      name: 100,
      description: 1_000,
      address: 2_048,
      username: 50,
      passwordBytes: 72,
      clientKey: 128,
      reactionKinds: 20,
    })
  })
})

describe('[A17] usernames', () => {
  it.each(named(['a', '가', '홍길동', 'a b', '😀'.repeat(50), '...', 'a.b@c', 'guest', 'Guest:x', '-1', "'; drop table--"]))(
    '%s is one',
    (_, name) => {
      expect(isUsername(name)).toBe(true)
    },
  )
  it.each(
    named([
      '',
      ' ',
      ' a',
      'a ',
      '\u3000a',
      'a\u00a0',
      'a/b',
      '/',
      '.',
      '..',
      'a\nb',
      'a\u0085b',
      'a\u007f',
      '\0',
      'a\ud800',
      'guest:x',
      'guest:',
      '😀'.repeat(51),
    ]),
  )('%s is none', (_, name) => {
    expect(isUsername(name)).toBe(false)
  })
})

describe('[A16] addresses of files', () => {
  const longest = `https://h/${'a'.repeat(2_048 - 10)}`
  it.each(named(['http://h', 'https://h/a?b#c', 'HTTPS://H/', 'http://h:1/가', '/uploads/a.png', '/uploads/a/b', longest]))(
    '%s is one',
    (_, url) => {
      expect(isFileUrl(url)).toBe(true)
    },
  )
  it.each(
    named([
      '',
      'ftp://h',
      'javascript:alert(1)',
      ' https://h',
      'https://',
      'https:///a',
      'https://?a',
      '//h/a',
      '/uploads/',
      '/uploads//a',
      '/uploads/../a',
      '/uploads/a/%2E./b',
      '/uploads/\\..\\a',
      '/upload/a',
      'uploads/a',
      'https://h/a b',
      'https://h/\n',
      'https://h/\0',
      'https://h/\ud800',
      'data:text/html,a',
      `${longest}a`,
    ]),
  )('%s is none', (_, url) => {
    expect(isFileUrl(url)).toBe(false)
  })
})

describe('[A8] client keys', () => {
  it.each(named(['a', '!', '~', 'a'.repeat(128), '5b0e7b2e-8f0c-4d6e-9c0a-1d2e3f4a5b6c']))('%s is one', (_, key) => {
    expect(parseClientKey(key)).toBe(key)
  })
  it('absent and null are none', () => {
    expect([parseClientKey(undefined), parseClientKey(null)]).toEqual([null, null])
  })
  it.each(named(['', ' ', 'a b', 'a\n', 'a\t', 'é', '가', '\x7f', 'a'.repeat(129)]))('%s is refused', (_, key) => {
    expect(() => parseClientKey(key)).toThrow('Idempotency-Key')
  })
})

describe('[P11] what search compares', () => {
  it.each([
    ['한글 ABC', '한글 abc'],
    ['한글'.normalize('NFD'), '한글'],
    ['É', 'é'],
    ['e\u0301', 'é'],
    ['α\u0345\u0301', 'άι'],
    ['ᾴ', 'άι'],
    ['İ', 'i\u0307'],
    ['ΟΔΟΣ', 'οδοσ'],
    ['οδος', 'οδοσ'],
    ['ẞ', 'ss'],
    ['J\u030c', 'ǰ'],
    ['\u212a', 'k'],
    ['Ａ', 'ａ'],
    ['%_\\', '%_\\'],
  ])('folds %s to %s', (text, folded) => {
    expect(foldText(text)).toBe(folded)
  })

  const anyText = fc.string({ unit: 'binary' })

  it('is the same for every spelling of a text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const folded = foldText(text)
        const spellings = [text.normalize('NFC'), text.normalize('NFD'), text.toLowerCase(), text.toUpperCase(), folded]
        for (const spelling of spellings) expect(foldText(spelling)).toBe(folded)
        expect(folded).not.toContain(searchSeparator)
      }),
      { numRuns: 2_000 },
    )
  })

  it('finds a part of a text in it, where no letter is taken apart', () => {
    const letters = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }), { maxLength: 10 })
    fc.assert(
      fc.property(letters, letters, letters, (before, part, behind) => {
        const text = [...before, ...part, ...behind].join('')
        expect(foldText(text)).toContain(foldText(part.join('')))
      }),
      { numRuns: 2_000 },
    )
  })

  const message = { content: 'Text', fileUrl: null, attachments: [] } as unknown as Message
  const file = (fileName: string) => ({ id: 1, fileName, url: '/uploads/x', mimeType: null, sizeBytes: 1 })

  it('is the text of a message and the names of its files', () => {
    expect(searchedTextOf(message)).toBe('text')
    expect(searchedTextOf({ ...message, attachments: [file('B.pdf'), file('c')] })).toBe('textAb.pdfAc')
  })

  it('[A16] is the name of a file that came as an address alone', () => {
    expect(searchedTextOf({ ...message, fileUrl: 'https://h/a/%EC%A7%80%EB%8F%84.png?x#y' })).toBe('textA지도.png')
    expect(searchedTextOf({ ...message, fileUrl: '/uploads/%zz' })).toBe('textA%zz')
    // What PostgreSQL cannot keep would stop the room's indexing.
    expect(searchedTextOf({ ...message, fileUrl: '/uploads/a%00b' })).toBe('textAa%00b')
    expect(searchedTextOf({ ...message, fileUrl: '/uploads/x', attachments: [file('y')] })).toBe('textAy')
  })
})
