/** The embed (W7): what visitors say to each other in it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import { findPort, startChild } from '../../../test/child.ts'
import { describeEmbed, newProject, pageWith, play, start, visitorOf, type Step } from './embed.fixture.ts'
import { enterGuest, signGuest } from './widget.fixture.ts'

describeEmbed('visitors in a browser', (embed) => {
  test('[W7] the script element alone brings the chat, and two visitors talk', async () => {
    const project = newProject()
    const token = signGuest('지민', project)
    const tag = `<script async src="${embed.server.url}/widget.js" data-project="${project}" data-token="${token}" data-heading="도움말"></script>`
    const page = await embed.visit(await embed.serve(`<!doctype html><title>host</title>${tag}`))
    const jimin = visitorOf(page)
    await page.locator('madang-chat button').click()
    const seojun = await embed.come(embed.host, { project, name: '서준', isClosed: true })
    await jimin.send('안녕하세요')
    await jimin.sees('안녕하세요')
    await until('the badge', async () => (await seojun.label())?.includes('1') ?? false)
    await seojun.open()
    await seojun.sees('안녕하세요')
    expect(await seojun.label()).toBe('채팅 닫기')
    await seojun.send('네, 반가워요')
    await jimin.sees('안녕하세요', '네, 반가워요')
    expect(await jimin.panel.locator('h1').textContent()).toBe('도움말')
  })

  test('[W7] a reload keeps the conversation, the draft, and what was unread', async () => {
    const project = newProject()
    // The server's own site, where the panel is no third party and has storage.
    const sameSite = embed.host.replace('shop.test', '127.0.0.1')
    const jimin = await embed.come(sameSite, { project, name: '지민' })
    await jimin.send('하나')
    await jimin.sees('하나')
    await jimin.panel.locator('.unsent').waitFor({ state: 'detached' })
    await jimin.field.fill('쓰다 만')
    const seojun = await enterGuest(embed.server, signGuest('서준', project))
    await jimin.page.goto('about:blank')
    await seojun.send('둘')
    await jimin.page.goto(sameSite)
    const again = await start(jimin.page, { project, name: '지민', isClosed: true })
    await until('the badge', async () => (await again.label())?.includes('1') ?? false)
    await again.open()
    await again.sees('하나', '둘')
    expect(await again.field.inputValue()).toBe('쓰다 만')
    expect(await again.panel.locator('.divider').count()).toBe(1)
  })

  test('[W8] a server that is killed and started again mid-chat loses nothing and doubles nothing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'madang-embed-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const env = { DATA_DIR: directory, PORT: String(await findPort()) }
    const first = await startChild({ env })
    const project = newProject()
    const address = await embed.serve(pageWith(first.url))
    const jimin = await embed.come(address, { project, name: '지민' })
    const seojun = await embed.come(address, { project, name: '서준' })
    const sent = Array.from({ length: 12 }, (_, at) => `${at + 1}번째`)
    for (const text of sent.slice(0, 4)) await jimin.send(text)
    await seojun.sees(...sent.slice(0, 4))
    // Of these some are stored and not answered, some never arrive.
    for (const text of sent.slice(4, 8)) await jimin.send(text)
    first.kill('SIGKILL')
    await first.exited
    for (const text of sent.slice(8)) await jimin.send(text)
    await jimin.panel.locator('.banner.offline').waitFor()
    await jimin.sees(...sent)
    await startChild({ env })
    await seojun.panel.locator('.standing.online').waitFor()
    await seojun.sees(...sent)
    await jimin.panel.locator('.unsent').first().waitFor({ state: 'detached' })
    await jimin.sees(...sent)
    const late = await embed.come(address, { project, name: '수현' })
    await late.sees(...sent)
  }, 120_000)

  const kept = (key = 'Enter') => ({ key, code: 'Enter', keyCode: 229 })
  const enter = { key: 'Enter', keyCode: 13 }
  const press: Step[] = [{ down: enter }, { up: enter }]
  /** Letter by letter, as a two-set keyboard makes it; the last syllable is still being composed. */
  const hangul: Step[] = [
    { compose: 'ㅇ' },
    { compose: '아' },
    { compose: '안' },
    { commit: '안' },
    { compose: 'ㄴ' },
    { compose: '녀' },
    { compose: '녕' },
  ]
  /** Name, what the input method does, what is sent, what is left in the field. */
  const sequences: [string, Step[], string[], string][] = [
    [
      'Hangul on macOS: it keeps an Enter, ends, and passes one on',
      [...hangul, { down: kept() }, { commit: '녕' }, ...press],
      ['안녕'],
      '',
    ],
    [
      'Hangul on Windows: the kept key is named Process',
      [...hangul, { down: kept('Process') }, { commit: '녕' }, ...press],
      ['안녕'],
      '',
    ],
    ['Hangul on Linux: it ends first, then comes a plain Enter', [...hangul, { commit: '녕' }, ...press], ['안녕'], ''],
    ['an Enter while composing, whatever its number', [...hangul, { down: enter }, { up: enter }], [], '안녕'],
    [
      'Japanese: the Enter that takes a conversion sends nothing',
      [{ compose: 'にほん' }, { compose: '日本' }, { down: kept() }, { commit: '日本' }, { up: enter }],
      [],
      '日本',
    ],
    [
      'Japanese: the next Enter sends',
      [{ compose: '日本' }, { down: kept() }, { commit: '日本' }, { up: enter }, ...press],
      ['日本'],
      '',
    ],
    [
      "Safari's order: the end, then the kept Enter",
      [{ compose: '日本' }, { commit: '日本' }, { down: kept() }, { up: enter }],
      [],
      '日本',
    ],
    [
      "Safari's order, and another Enter",
      [{ compose: '日本' }, { commit: '日本' }, { down: kept() }, { up: enter }, ...press],
      ['日本'],
      '',
    ],
    ['Enter pressed long', [{ commit: '네' }, { down: enter }, { down: enter }, { down: enter }, { up: enter }], ['네'], ''],
  ]

  test('[W7] an input method keeps its Enter; the one that it passes on sends, once, the whole text', async () => {
    const project = newProject()
    const jimin = await embed.come(embed.host, { project, name: '지민' })
    const sent: string[] = []
    for (const [name, steps, texts, left] of sequences) {
      await jimin.field.fill('')
      await jimin.field.focus()
      await play(jimin.page, steps)
      sent.push(...texts)
      await jimin.sees(...sent)
      expect(await jimin.field.inputValue(), name).toBe(left)
    }
    await jimin.field.fill('')
    await jimin.field.focus()
    await play(jimin.page, hangul)
    await jimin.panel.locator('.send').click()
    await jimin.sees(...sent, '안녕')
    expect(await jimin.field.inputValue(), 'the button while composing').toBe('')
  })

  test('[W2] where a token expires, the page is asked until it has another, and the chat goes on', async () => {
    const project = newProject()
    const page = await embed.visit(embed.host)
    let asked = 0
    await page.exposeFunction('signToken', () => {
      // A page that cannot say just now has not signed anybody out.
      if (++asked === 2) throw new Error('no connection')
      return signGuest('지민', project, { exp: Math.floor(Date.now() / 1000) + (asked === 1 ? 3 : 600) })
    })
    await page.waitForFunction('window.Madang !== undefined')
    await page.evaluate(`Madang.init({ project: '${project}', token: () => signToken() })`)
    const jimin = visitorOf(page)
    await jimin.open()
    await jimin.send('하나')
    await until('the page asked once more', () => asked >= 2)
    await jimin.sees('하나')
    await until('another token', () => asked === 3)
    await jimin.panel.locator('.standing.online').waitFor()
    await jimin.send('둘')
    await jimin.sees('하나', '둘')
    await jimin.panel.locator('.unsent').first().waitFor({ state: 'detached' })
  })

  test('[W7] setUser with a function that gives no token signs out, and the next one is somebody else', async () => {
    const project = newProject()
    const seojun = await enterGuest(embed.server, signGuest('서준', project))
    const jimin = await embed.come(embed.host, { project, name: '지민' })
    await seojun.send('지민 님께만')
    await jimin.sees('지민 님께만')
    await jimin.page.evaluate(`told = []; for (const name of ['expired', 'refused']) Madang.on(name, () => told.push(name))`)
    await jimin.page.evaluate(`Madang.setUser(() => Promise.reject(new Error('signed out')))`)
    await jimin.panel.locator('.standing.signedOut').waitFor()
    await jimin.sees()
    expect(await jimin.field.isDisabled()).toBe(true)
    await jimin.page.evaluate(`Madang.setUser('${signGuest('수현', project)}')`)
    await jimin.panel.locator('.standing.online').waitFor()
    await jimin.send('수현이에요')
    await seojun.have(3)
    expect(seojun.messages().map(({ username }) => username)).toEqual(['서준', '수현'])
    await jimin.page.evaluate(`Madang.setUser('${signGuest('지민', project)}')`)
    await jimin.panel.locator('.author', { hasText: '수현' }).waitFor()
    expect(await jimin.page.evaluate('told'), 'leaving is no refusal').toEqual([])
  })

  test('[W10] older messages come as one scrolls up, and what is read stays where it is', async () => {
    const project = newProject()
    const seojun = await enterGuest(embed.server, signGuest('서준', project))
    for (let at = 1; at <= 120; at++) await seojun.send(`${at}번째`)
    const jimin = await embed.come(embed.host, { project, name: '지민' })
    await until('fifty', async () => (await jimin.texts()).length === 50)
    const list = jimin.panel.locator('.log')
    // What is drawn first is shown at its end.
    await list.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))')
    const seventyFirst = jimin.panel.locator('.bubble', { hasText: /^71번째$/ })
    await list.evaluate((box) => void (box.scrollTop = 0))
    await until('a hundred', async () => (await jimin.texts()).length === 100)
    expect(await seventyFirst.isVisible()).toBe(true)
    const { y } = (await seventyFirst.boundingBox())!
    const { y: top, height } = (await list.boundingBox())!
    expect(y).toBeGreaterThan(top)
    expect(y).toBeLessThan(top + height)
    await list.evaluate((box) => void (box.scrollTop = 0))
    await until('all', async () => (await jimin.texts()).length === 120)
    expect((await jimin.texts())[0]).toBe('1번째')
  })

  test('[W10] the panel keeps the newest messages alone, and counts all that are unread', async () => {
    const project = newProject()
    const seojun = await enterGuest(embed.server, signGuest('서준', project))
    const jimin = await embed.come(embed.host, { project, name: '지민', isClosed: true })
    await jimin.page.evaluate(`unread = 0; Madang.on('unread', (count) => (unread = count))`)
    const sent = Array.from({ length: 560 }, (_, at) => `${at + 1}번째`)
    await Promise.all(sent.map((text) => seojun.send(text)))
    await until('the number', async () => (await jimin.page.evaluate('unread')) === 560)
    const texts = await jimin.texts()
    expect(texts.length).toBeLessThan(550)
    expect(texts).toEqual(sent.slice(-texts.length))
  })
})
