#!/usr/bin/env node
// The part of WebDriver that the wasm's test runner speaks, for Firefox: puppeteer drives it. In the place of geckodriver,
// which there is only to be compiled, for as long as all the rest of the setup takes.
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import puppeteer from 'puppeteer-core'

const port = Number(/^--port=(\d+)$/.exec(process.argv.at(-1) ?? '')?.[1])
if (!Number.isInteger(port)) {
  console.error('usage: firefox-driver.mjs --port=PORT')
  process.exit(2)
}

const system = ['/usr/bin/firefox-esr', '/usr/bin/firefox']
const executablePath = process.env.FIREFOX ?? system.find((path) => existsSync(path))

/** The one session that the runner makes. */
let browser
let page

const commands = {
  'POST /session': async () => {
    if (executablePath === undefined)
      throw new Error('no Firefox here: run scripts/setup, or name one in FIREFOX')
    browser = await puppeteer.launch({ browser: 'firefox', executablePath })
    page = await browser.newPage()
    return { sessionId: 'firefox', capabilities: { browserName: 'firefox' } }
  },
  'GET /session/firefox': async () => ({ capabilities: { browserName: 'firefox' } }),
  'POST /session/firefox/url': async ({ url }) => {
    await page.goto(url)
    return null
  },
  'POST /session/firefox/execute/sync': ({ script, args }) =>
    page.evaluate((script, args) => new Function(script).apply(null, args), script, args),
  'DELETE /session/firefox/window': async () => {
    await browser.close()
    return []
  },
}

async function answer(request) {
  const command = commands[`${request.method} ${request.url}`]
  if (command === undefined) return [404, { error: 'unknown command', message: request.url, stacktrace: '' }]
  try {
    return [200, await command(request.method === 'POST' ? await json(request) : {})]
  } catch (error) {
    return [500, { error: 'unknown error', message: String(error), stacktrace: '' }]
  }
}

createServer(async (request, response) => {
  const [status, value] = await answer(request)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ value }))
}).listen(port, '127.0.0.1')
