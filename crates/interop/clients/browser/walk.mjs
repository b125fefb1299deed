// What every walk needs: a Chromium of its own, the client's end of a redirect, forms, and one-time codes.
import { createHmac } from 'node:crypto'
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer from '../node/node_modules/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js'

/** The run's parameters: JSON in the first argument. */
export const parameters = JSON.parse(process.argv[2])

const arguments_ = [
  // The demo's authority is no authority of this machine; containers give Chromium no sandbox of its own.
  '--ignore-certificate-errors',
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--lang=en',
]

/** A browser with an empty profile; `preferences` go into it before it starts. */
export async function browser(preferences) {
  const profile = mkdtempSync(join(tmpdir(), 'walk-'))
  if (preferences) {
    mkdirSync(join(profile, 'Default'))
    writeFileSync(join(profile, 'Default/Preferences'), JSON.stringify(preferences))
  }
  const chromium = await puppeteer.launch({
    executablePath: parameters.chromium ?? '/usr/bin/chromium',
    headless: true,
    userDataDir: profile,
    args: arguments_,
  })
  chromium.profile = profile
  return chromium
}

/**
 * A tab that stands in for the client: whatever goes to `redirect_uri` is answered here, and kept. Everything that the
 * page says on its console about its security policy is a failure.
 */
export async function tab(chromium) {
  const page = await chromium.newPage()
  page.arrived = []
  page.foreign = []
  await page.setRequestInterception(true)
  page.on('request', (request) => {
    const url = request.url()
    if (url.startsWith(parameters.redirect_uri)) {
      page.arrived.push({ url, method: request.method(), body: request.postData() ?? null })
      request.respond({ status: 200, contentType: 'text/html', body: '<title>client</title>back at the client' })
      return
    }
    const ours = [parameters.origin, new URL(parameters.redirect_uri).origin, 'data:']
    if (!ours.some((start) => url.startsWith(start))) page.foreign.push(url)
    request.continue()
  })
  page.violations = []
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) page.violations.push(message.text())
  })
  return page
}

/** Ends the run with an explanation. */
export function must(condition, explanation) {
  if (!condition) throw new Error(explanation)
}

/** What the page says, as a person reads it. */
export const text = (page) => page.$eval('body', (body) => body.innerText)

export async function says(page, expected) {
  const seen = await text(page)
  must(seen.includes(expected), `"${expected}" is not on ${page.url()}:\n${seen}`)
}

/** Types into a field that is there, after emptying it. */
export async function fill(page, name, value) {
  const field = await page.waitForSelector(`input[name="${name}"]`, { timeout: 5000 })
  await field.click({ count: 3 })
  await field.type(value)
}

/** Presses the button of this value and waits for the page that follows. */
export async function press(page, value) {
  const button = await page.waitForSelector(`button[name="do"][value="${value}"]`, { timeout: 5000 })
  await Promise.all([page.waitForNavigation({ timeout: 15000 }), button.click()])
}

export async function signIn(page, user) {
  await fill(page, 'user_name', user.name)
  await fill(page, 'password', user.password)
  await press(page, 'password')
}

/** The client's answer: the parameters that came back. */
export function answer(page) {
  must(page.arrived.length > 0, `nothing came back to the client; the page is ${page.url()}`)
  return Object.fromEntries(new URL(page.arrived.at(-1).url).searchParams)
}

/** RFC 6238, SHA-1, six digits, 30 s; `ahead` steps from now. */
export function totp(base32, ahead = 0) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...base32.replace(/[\s=]/g, '')].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((octet) => parseInt(octet, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + ahead))
  const mac = createHmac('sha1', key).update(counter).digest()
  const offset = mac.at(-1) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1000000).padStart(6, '0')
}

/** A platform authenticator that says yes to everything, in this tab. */
export async function authenticator(page) {
  const devtools = await page.createCDPSession()
  await devtools.send('WebAuthn.enable')
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return { devtools, authenticatorId }
}

/** Runs one walk, prints what it found as a line of JSON, and ends with status 1 when it met something else. */
export async function run(walk, preferences) {
  const chromium = await browser(preferences)
  let found
  try {
    found = await walk(chromium)
  } catch (error) {
    const pages = await chromium.pages()
    for (const page of pages) console.error(page.url(), '\n', await text(page).catch(() => ''))
    if (parameters.screenshot) await pages.at(-1).screenshot({ path: parameters.screenshot }).catch(() => {})
    console.error(error.stack)
    process.exitCode = 1
  } finally {
    await chromium.close()
    // Its helpers write a moment longer than it lives.
    rmSync(chromium.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }
  console.log(JSON.stringify(found ?? null))
}
