import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createManualClock } from '../../test/manual-clock.ts'
import { createUserService } from './user-service.ts'

let server: Server
let url: string
const paths: string[] = []
const authorizations: (string | undefined)[] = []
let answer = (_response: ServerResponse) => {}

function serviceAt(address: string) {
  const [clock, notices] = [createManualClock(), [] as string[]]
  return { clock, notices, find: createUserService({ url: address, clock, onNotice: (text) => void notices.push(text) }) }
}

beforeAll(async () => {
  server = createServer((request, response) => {
    paths.push(request.url!)
    authorizations.push(request.headers.authorization)
    answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

it.each(['', '/'])('[C7] asks for a user under his id, whatever stands in it (address ending with "%s")', async (end) => {
  answer = (response) => response.end('{"id":3,"name":"김 미나"}')
  expect(await serviceAt(`${url}/api${end}`).find('a b/../?김')).toBe('김 미나')
  expect(paths.at(-1)).toBe(`/api/users/${encodeURIComponent('a b/../?김')}`)
})

it('[C7] knows no name of a user who is not there', async () => {
  answer = (response) => response.writeHead(404).end('{"error":"not_found"}')
  expect(await serviceAt(url).find('kim')).toBeNull()
})

it.each([
  ['an error', (response: ServerResponse) => response.writeHead(500).end('{"name":"kim"}')],
  ['no JSON', (response: ServerResponse) => response.end('kim')],
  ['no name', (response: ServerResponse) => response.end('{"name":null}')],
  ['too much', (response: ServerResponse) => response.end(JSON.stringify({ name: 'x'.repeat(70_000) }))],
  ['a broken line', (response: ServerResponse) => response.destroy()],
  ['nothing at all', () => {}],
  ['half an answer, and then nothing', (response: ServerResponse) => response.writeHead(200).write('{"name":')],
])('[C7] an answer that is %s is none, after a second at most', async (_, how) => {
  answer = how
  await expect(serviceAt(url).find('kim')).rejects.toThrow()
})

it('[C7] gets the user and password of its address as Basic credentials', async () => {
  answer = (response) => response.end('{"name":"kim"}')
  const address = url.replace('//', '//me:p%40ss%@')
  expect(await serviceAt(`${address}/`).find('kim')).toBe('kim')
  expect(authorizations.at(-1)).toBe(`Basic ${Buffer.from('me:p@ss%').toString('base64')}`)
  await serviceAt(url).find('kim')
  expect(authorizations.at(-1)).toBeUndefined()
})

it('[C7] that it fails is told once, without its address, and that it is back when it has answered for a minute', async () => {
  const { clock, notices, find } = serviceAt(url.replace('//', '//me:secret@'))
  const ask = (how: typeof answer) => {
    answer = how
    return find('kim').catch(() => null)
  }
  const good = (response: ServerResponse) => response.end('{"name":"kim"}')
  await ask(good)
  expect(notices).toEqual([])
  await ask((response) => response.writeHead(503).end())
  await ask((response) => response.end('kim'))
  await ask(good)
  expect(notices.splice(0)).toEqual(['The user service fails (503): names come from the users table'])
  await clock.advance(60_000)
  await ask(good)
  await ask(good)
  expect(notices.splice(0)).toEqual(['The user service is there again'])
  await ask((response) => response.destroy())
  expect(notices).toEqual([expect.stringMatching(/^The user service fails \([A-Z_]+\): names come from the users table$/)])
})
