import { expect, test } from 'vitest'
import { inkOn } from './color.ts'

test.each([
  ['#ffffff', '#14120f'],
  ['#ffd400', '#14120f'],
  ['#808080', '#14120f'],
  ['#000000', '#ffffff'],
  ['#1d6b54', '#ffffff'],
  ['#0000ff', '#ffffff'],
  ['#6e6e6e', '#ffffff'],
])('[W7] on %s the letters are %s', (color, ink) => {
  expect(inkOn(color)).toBe(ink)
})
