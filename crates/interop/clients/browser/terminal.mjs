// A person who is sent to the browser by a program of the terminal, all the way back to the program's own port.
// The address comes in the environment: `$BROWSER` programs get it as an argument, which a wrapper passes on.
import { fill, must, parameters, press, run, signIn, text, totp } from './walk.mjs'

const MOST_STEPS = 10

/** The program's port is the only place without TLS. */
const isBack = (page) => page.url().startsWith('http://')

const has = async (page, selector) => (await page.$(selector)) !== null

/** Keystone's page posts its form by itself: a page that was looked at can be gone before the look ends. */
const isGone = (error) => /context|detached|Target closed/i.test(error.message)

/** What the page wants; false if it wants nothing. */
async function step(page) {
  if (await has(page, 'input[name="password"]')) await signIn(page, parameters.user)
  else if (await has(page, 'input[name="code"]')) {
    await fill(page, 'code', totp(parameters.user.totp_secret, parameters.ahead ?? 0))
    await press(page, 'code')
  } else if (await has(page, 'button[value="user_code"]')) await press(page, 'user_code')
  else if (await has(page, 'button[value="allow"]')) {
    const project = `input[name="project"][value="${parameters.project ?? ''}"]`
    if (await has(page, project)) await page.click(project)
    await press(page, parameters.decision ?? 'allow')
  } else return false
  return true
}

await run(async (chromium) => {
  const page = await chromium.newPage()
  const requests = []
  page.on('request', (request) => {
    if (request.url().startsWith('http://')) requests.push({ method: request.method(), headers: request.headers() })
  })
  await page.goto(process.env.WALK_URL ?? parameters.url)
  const steps = []
  for (let at = 0; at < MOST_STEPS && !isBack(page); at += 1) {
    steps.push(page.url().split('?')[0])
    const acted = await step(page).catch((error) => {
      if (parameters.comes_back && isGone(error)) return false
      throw error
    })
    if (acted) continue
    if (!parameters.comes_back) break
    await page.waitForFunction(() => location.protocol === 'http:', { timeout: 15000 })
  }
  must(!parameters.comes_back || isBack(page), `the browser is not back at the program: ${page.url()}`)
  const scripts = await page.$$eval('script', (all) => all.length)
  return { url: page.url(), text: await text(page), steps, requests, scripts }
})
