import { expect, it } from 'vitest'
import { startServer } from '../../test/harness.ts'

it('[A2] message ids warn from 80 % of MESSAGE_ID_MAX, once a percent, and at the end sends are a 503 that says so', async () => {
  const server = await startServer({ env: { MESSAGE_ID_MAX: '10' } })
  const send = () =>
    fetch(`${server.url}/api/v1/chat/rooms/1/messages`, { method: 'POST', body: JSON.stringify({ user_id: 1, message: 'x' }) })
  const warnings = () => server.logged.filter((line) => line.includes('MESSAGE_ID_MAX'))
  for (let sent = 1; sent <= 7; sent++) expect((await send()).status).toBe(201)
  expect(warnings()).toEqual([])
  for (let sent = 8; sent <= 10; sent++) expect((await send()).status).toBe(201)
  expect(warnings()).toHaveLength(3)
  const refused = await send()
  expect(refused.status).toBe(503)
  expect(await refused.text()).toContain('MESSAGE_ID_MAX')
  await server.stop()
})
