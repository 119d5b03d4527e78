import { parseArgs } from 'node:util'

export interface Options {
  /** Length of a counted window. */
  seconds: number
  warmUpSeconds: number
  /** Each row is measured so often, the subjects in turns, and its medians are shown. */
  repeat: number
  /** Only what has a name that this finds; see the README for the names. */
  only: RegExp
  isQuick: boolean
}

export const usage = `npm run bench -- [--quick] [--only <pattern>] [--seconds <n>] [--repeat <n>]
  --quick            windows of 1 s, no rooms of 1,000, no 15,000 sockets, a tenth of groupware's messages and chats
  --only <pattern>   a regular expression over names such as postgres/100/saturated/madang, idle/feed, startup, event-loop,
                     groupware, fan-out, nodes, handshake
  --seconds <n>      length of a counted window (3)
  --repeat <n>       medians of n runs, the subjects in turns (1)`

/** Throws a TypeError with a text for the user. */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      seconds: { type: 'string' },
      repeat: { type: 'string', default: '1' },
    },
  })
  const isQuick = values.quick
  return {
    isQuick,
    seconds: parsePositive('seconds', values.seconds ?? (isQuick ? '1' : '3')),
    warmUpSeconds: isQuick ? 0.5 : 1,
    repeat: Math.ceil(parsePositive('repeat', values.repeat)),
    only: new RegExp(values.only),
  }
}

function parsePositive(name: string, text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new TypeError(`--${name} takes a number above 0, not "${text}"`)
  return number
}
