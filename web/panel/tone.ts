/** Two soft notes, made here: no file to load. Browsers let a frame sound only after the visitor has touched it; before, this is silent. */
let context: AudioContext | null = null

const notes = [
  { hertz: 659, afterS: 0 },
  { hertz: 880, afterS: 0.09 },
]
const lastsS = 0.22

export function playTone(): void {
  context ??= new AudioContext()
  for (const { hertz, afterS } of notes) playNote(context, hertz, context.currentTime + afterS)
}

function playNote(on: AudioContext, hertz: number, at: number): void {
  const volume = new GainNode(on, { gain: 0 })
  volume.gain.setValueAtTime(0, at)
  volume.gain.linearRampToValueAtTime(0.06, at + 0.01)
  volume.gain.exponentialRampToValueAtTime(0.0001, at + lastsS)
  const note = new OscillatorNode(on, { frequency: hertz, type: 'sine' })
  note.connect(volume).connect(on.destination)
  note.start(at)
  note.stop(at + lastsS)
}
