import { expect, test } from 'vitest'
import { completeOptions, findAttributes, parseLocale, parseTheme, type Options } from './options.ts'

/** With a language, as else the page is asked for its own. */
const complete = (given: object) => completeOptions({ project: '가게', locale: 'ko', ...given })
const element = (dataset: Record<string, string>) => ({ dataset }) as unknown as HTMLScriptElement

test('[W7] without a project there is no widget, and without anything else the usual one', () => {
  for (const given of [undefined, {}, { project: '' }, { project: 7 }]) {
    expect(() => completeOptions(given as Options)).toThrow('Madang: a project is needed')
  }
  expect(complete({})).toEqual({
    project: '가게',
    token: null,
    locale: 'ko',
    theme: 'auto',
    position: 'right',
    color: '#1d6b54',
    heading: null,
    avatars: true,
    sound: false,
    title: false,
  })
})

test('[W7] what is not known falls back to what is usual', () => {
  const odd = { theme: 'sepia', position: 'top', color: 'red', heading: '', avatars: 'no', sound: 'yes', title: 1, token: '' }
  expect(complete(odd)).toEqual(complete({}))
  expect(parseTheme(undefined)).toBe('auto')
  expect([parseLocale('en-GB'), parseLocale('KO'), parseLocale('fr'), parseLocale(7)]).toEqual(['en', 'ko', null, null])
})

test.each([
  ['#abc', '#aabbcc'],
  ['#7A3cc2', '#7A3cc2'],
  ['#abcd', '#1d6b54'],
  ['abc', '#1d6b54'],
])('[W7] the color %s is %s', (given, color) => {
  expect(complete({ color: given }).color).toBe(color)
})

test('[W7] the attributes of the script say the same as options; without a project they say nothing', () => {
  expect(findAttributes(element({ token: 'x' }))).toBe(null)
  const attributes = findAttributes(
    element({ project: '가게', locale: 'ko', theme: 'dark', sound: 'on', title: 'on', avatars: 'off' }),
  )
  expect(completeOptions(attributes!)).toEqual(complete({ theme: 'dark', sound: true, title: true, avatars: false }))
  expect(completeOptions(findAttributes(element({ project: '가게', locale: 'ko' }))!)).toEqual(complete({}))
})
