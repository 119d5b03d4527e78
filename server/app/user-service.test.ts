import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createUserService } from './user-service.ts'

let server: Server
let url: string
const paths: string[] = []
let answer = (_response: ServerResponse) => {}

beforeAll(async () => {
  server = createServer((request, response) => {
    paths.push(request.url!)
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
  expect(await createUserService(`${url}/api${end}`)('a b/../?김')).toBe('김 미나')
  expect(paths.at(-1)).toBe(`/api/users/${encodeURIComponent('a b/../?김')}`)
})

it('[C7] knows no name of a user who is not there', async () => {
  answer = (response) => response.writeHead(404).end('{"error":"not_found"}')
  expect(await createUserService(url)('kim')).toBeNull()
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
  await expect(createUserService(url)('kim')).rejects.toThrow()
})
