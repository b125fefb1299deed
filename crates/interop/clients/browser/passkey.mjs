// The pages' own script, in a page that holds the two forms and nothing else: what a browser makes of our options.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { authenticator, must, parameters, run } from './walk.mjs'

const script = readFileSync(parameters.script)

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;')

const form = (kind, options) => `<!doctype html><title>${kind}</title>
<form method="post" action="/${kind}" data-passkey="${kind}" data-options="${escaped(options)}">
<input type="hidden" name="credential" value=""><p data-failed hidden>failed</p>
<button name="do" value="confirm">go</button><button name="do" value="cancel">no</button></form>
<script src="/passkey.js" defer></script>`

/** Serves the two pages on this machine and keeps what their forms send. */
function serve() {
  const sent = {}
  const server = createServer((request, response) => {
    const kind = request.url.slice(1)
    if (kind === 'passkey.js') {
      response.setHeader('content-type', 'text/javascript')
      response.end(script)
      return
    }
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.setHeader('content-security-policy', "default-src 'none'; script-src 'self'; form-action 'self'")
    if (request.method === 'GET') {
      response.end(form(kind, parameters[kind]))
      return
    }
    let body = ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      sent[kind] = Object.fromEntries(new URLSearchParams(body))
      response.end('<title>sent</title>sent')
    })
  })
  return new Promise((resolve) => server.listen(parameters.port, 'localhost', () => resolve({ server, sent })))
}

await run(async (chromium) => {
  const { server, sent } = await serve()
  try {
    const page = await chromium.newPage()
    const origin = `http://localhost:${parameters.port}`
    const { devtools, authenticatorId } = await authenticator(page)
    const go = async (kind) => {
      await page.goto(`${origin}/${kind}`)
      await Promise.all([page.waitForNavigation({ timeout: 15000 }), page.click('button[value="confirm"]')])
    }
    await go('create')
    const registration = sent.create.credential
    await go('get')
    const assertion = sent.get.credential
    // The same authenticator is asked to stay out, and says so on the page.
    parameters.create = JSON.stringify({
      ...JSON.parse(parameters.create),
      excludeCredentials: [{ type: 'public-key', id: JSON.parse(registration).id }],
    })
    await page.goto(`${origin}/create`)
    await page.click('button[value="confirm"]')
    await page.waitForSelector('[data-failed]:not([hidden])', { timeout: 15000 })
    // Whoever gives up needs no authenticator.
    await Promise.all([page.waitForNavigation({ timeout: 15000 }), page.click('button[value="cancel"]')])
    must(sent.create.credential === '', 'nothing is sent with `cancel`')
    const { credentials } = await devtools.send('WebAuthn.getCredentials', { authenticatorId })
    return { registration, assertion, passkeys: credentials.length }
  } finally {
    server.close()
  }
})
