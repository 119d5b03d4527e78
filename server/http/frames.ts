/** Server frames of the WebSocket protocol (RFC 6455), built once for all who get them. */

/** Texts up to this many bytes, at worst, are encoded without an allocation of their own. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024)

const finalText = 0x81
/** A UTF-16 unit is at most three bytes of UTF-8. */
const bytesPerUnitMax = 3
const headerBytesMax = 10

/**
 * One unfragmented text frame per text, joined in order: a whole number of frames, to be written to any number of connections. Pure.
 *
 * Encodes into a scratch buffer and copies out what was used. Measured on 300-byte texts with Hangul, per text: 0.45 µs alone and 0.40 µs
 * among a hundred, where `ws`'s `Sender.frame` and a concat take 0.57 and 0.52 (ASCII: 0.23 and 0.17 against 0.46 and 0.29).
 */
export function frameTexts(texts: string[]): Buffer {
  let bytesMax = 0
  for (const text of texts) bytesMax += headerBytesMax + text.length * bytesPerUnitMax
  const target = bytesMax <= scratch.length ? scratch : Buffer.allocUnsafe(bytesMax)
  let end = 0
  for (const text of texts) end = writeFrame(target, end, text)
  const frames = Buffer.allocUnsafe(end)
  target.copy(frames, 0, 0, end)
  return frames
}

/** The texts of what `frameTexts` built. Pure. */
export function splitTexts(frames: Uint8Array): string[] {
  const bytes = Buffer.from(frames.buffer, frames.byteOffset, frames.length)
  const texts: string[] = []
  for (let start = 0; start < bytes.length;) {
    const short = bytes[start + 1]!
    const header = short < 126 ? 2 : short === 126 ? 4 : 10
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(start + 2) : Number(bytes.readBigUInt64BE(start + 2))
    texts.push(bytes.toString('utf8', start + header, start + header + length))
    start += header + length
  }
  return texts
}

/** Guesses the header's size from the text's length, as it is right for ASCII, and moves the payload where it was wrong. */
function writeFrame(target: Buffer, start: number, text: string): number {
  const guess = headerBytes(text.length)
  const length = target.write(text, start + guess)
  const actual = headerBytes(length)
  if (actual !== guess) target.copyWithin(start + actual, start + guess, start + guess + length)
  writeHeader(target, start, length)
  return start + actual + length
}

function headerBytes(length: number): number {
  if (length < 126) return 2
  return length < 65_536 ? 4 : 10
}

function writeHeader(target: Buffer, start: number, length: number): void {
  target[start] = finalText
  if (length < 126) target[start + 1] = length
  else if (length < 65_536) {
    target[start + 1] = 126
    target.writeUInt16BE(length, start + 2)
  } else {
    target[start + 1] = 127
    target.writeBigUInt64BE(BigInt(length), start + 2)
  }
}
