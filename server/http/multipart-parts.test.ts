import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readParts } from './multipart-parts.ts'

it('[P10] a form of any parts is read as it was written, however it is cut on its way', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .string({ unit: fc.constantFrom('\r', '\n', '-', 'b', '\r\n--b', '\r\n--', 'a'), maxLength: 30 })
      .map((text) => Buffer.from(text)),
  )
  const hasNoDelimiter = (body: Uint8Array) =>
    !Buffer.concat([Buffer.from('\r\n'), body, Buffer.from('\r\n')]).includes('\r\n--bo')
  const parts = fc.array(bytes.filter(hasNoDelimiter), { maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(parts, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), async (bodies, cuts) => {
      const chunks = bodies.flatMap((body, at) => [
        Buffer.from(`--bo\r\nContent-Disposition: form-data; name="${at}"; filename="x"\r\n\r\n`),
        Buffer.from(body),
        Buffer.from('\r\n'),
      ])
      const whole = Buffer.concat([...chunks, Buffer.from('--bo--')])
      const read: Buffer[] = []
      for await (const part of readParts(cut(whole, cuts), 'bo')) {
        expect(part.name).toBe(String(read.length))
        const got: Buffer[] = []
        for await (const chunk of part.bytes) got.push(chunk)
        read.push(Buffer.concat(got))
      }
      expect(read.map((one) => one.toString('hex'))).toEqual(bodies.map((one) => Buffer.from(one).toString('hex')))
    }),
    { numRuns: 300 },
  )
})

async function* cut(bytes: Buffer, sizes: number[]): AsyncGenerator<Buffer, void> {
  let at = 0
  for (let index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}
