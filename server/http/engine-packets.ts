/** What stands in engine.io's queue: how much it is, and how what the hub hands over gets there. */
import { splitTexts } from './frames.ts'

/** Typed only in part: a frame may come built, as parts to be written as they are. */
interface SendOptions {
  compress: boolean
  wsPreEncodedFrame?: Uint8Array[]
}

export interface Packet {
  type: string
  data?: unknown
  options?: SendOptions
}

/** Of packets for which there is room, by their identity. */
export const judged: SendOptions = { compress: true }

/** Of frames that are shared by all who get them. Pure. */
export function built(frames: Uint8Array): SendOptions {
  return { compress: false, wsPreEncodedFrame: [frames] }
}

/** In bytes. Pure. */
export function sizeOf({ data, options }: Packet): number {
  const frames = options?.wsPreEncodedFrame
  if (frames) return frames[0]!.length
  return typeof data === 'string' ? Buffer.byteLength(data) : 0
}

/** The hub hands the same bytes to one session after the other. */
let lastSplit: { frames: Uint8Array; packets: string[] } = { frames: Buffer.alloc(0), packets: [] }

/** The same as texts, without engine.io's type of a packet, which it writes itself. */
export function packetsOf(frames: Uint8Array): string[] {
  if (lastSplit.frames !== frames) lastSplit = { frames, packets: splitTexts(frames).map((text) => text.slice(1)) }
  return lastSplit.packets
}
