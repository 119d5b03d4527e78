import * as ws from 'ws'
import { expect, test } from 'vitest'
import { frameTexts, splitTexts } from './frames.ts'

/** `ws`'s own framing is the reference; its types do not know it. */
const { Sender: reference } = ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } }

function frameByWs(text: string): Buffer {
  return Buffer.concat(reference.frame(Buffer.from(text), { fin: true, opcode: 1, mask: false, readOnly: false, rsv1: false }))
}

test('[fan-out] one frame is, byte for byte, what ws makes of it at every length where the header changes', () => {
  for (const length of [0, 1, 41, 42, 43, 124, 125, 126, 127, 21_844, 21_846, 65_534, 65_535, 65_536, 65_537, 200_000]) {
    for (const unit of ['a', '한', 'é']) {
      const text = unit.repeat(length)
      expect(frameTexts([text]).equals(frameByWs(text)), `${length} of ${unit}`).toBe(true)
    }
  }
})

test('[fan-out] many texts are their frames joined in order', () => {
  const texts = Array.from({ length: 300 }, (_, at) => '가a😀'.repeat(at))
  expect(frameTexts(texts).equals(Buffer.concat(texts.map(frameByWs)))).toBe(true)
  expect(frameTexts([]).length).toBe(0)
})

test('[fan-out] frames made before are not changed by frames made later', () => {
  const first = frameTexts(['first'])
  frameTexts(['XXXXXXXXXXXX'])
  expect(first.equals(frameByWs('first'))).toBe(true)
})

test('[fan-out] frames are their texts again', () => {
  const texts = [
    '',
    'a',
    '한'.repeat(41),
    '한'.repeat(42),
    'é'.repeat(40_000),
    '😀'.repeat(20_000),
    'x'.repeat(125),
    'x'.repeat(126),
  ]
  expect(splitTexts(frameTexts(texts))).toEqual(texts)
  expect(splitTexts(new Uint8Array(frameTexts(texts)).subarray(0))).toEqual(texts)
  expect(splitTexts(frameTexts([]))).toEqual([])
})
