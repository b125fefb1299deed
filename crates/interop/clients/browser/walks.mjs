// The walks of a person through the pages; `parameters.walk` names one.
import { answer, authenticator, fill, must, parameters, press, run, says, signIn, tab, text, totp } from './walk.mjs'

const { authorize, user, issuer } = parameters

/** Nothing of another origin was loaded, and no page broke its own policy. */
function clean(page) {
  must(page.foreign.length === 0, `loaded from elsewhere: ${page.foreign}`)
  must(page.violations.length === 0, `policy broken: ${page.violations}`)
}

const onConsent = async (page) => (await page.$('button[name="do"][value="allow"]')) !== null

async function allow(page) {
  if (await onConsent(page)) await press(page, 'allow')
}

const walks = {
  async login(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    must(await page.$eval('html', (html) => html.lang), 'the page has a language')
    await signIn(page, user)
    must(await onConsent(page), 'the person is asked')
    await press(page, 'allow')
    clean(page)
    const first = answer(page)
    // Known to the server now: no password, no question.
    await page.goto(authorize)
    clean(page)
    return { first, second: answer(page) }
  },

  async denied(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    await signIn(page, user)
    await press(page, 'deny')
    return answer(page)
  },

  async wrong_password(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    await signIn(page, { name: user.name, password: 'not the password' })
    must(page.arrived.length === 0, 'nobody goes back to the client')
    const wrong = await text(page)
    await signIn(page, { name: 'nobody-of-this-name', password: 'not the password' })
    const unknown = await text(page)
    const alert = await page.$('[role="alert"]')
    must(alert !== null, 'the fault is told to a screen reader')
    must((await page.$eval('input[name="password"]', (field) => field.value)) === '', 'no password stays in the page')
    await signIn(page, user)
    await allow(page)
    return { answer: answer(page), same: wrong === unknown, wrong, unknown }
  },

  async keyboard(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    const focused = () => page.evaluate(() => document.activeElement.getAttribute('name'))
    for (let at = 0; at < 10 && (await focused()) !== 'user_name'; at += 1) await page.keyboard.press('Tab')
    await page.keyboard.type(user.name)
    for (let at = 0; at < 5 && (await focused()) !== 'password'; at += 1) await page.keyboard.press('Tab')
    await page.keyboard.type(user.password)
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
    must(await onConsent(page), 'signed in by the keyboard alone')
    return {}
  },

  async without_script(chromium) {
    const page = await tab(chromium)
    await page.setJavaScriptEnabled(false)
    await page.goto(authorize)
    await signIn(page, user)
    await allow(page)
    return answer(page)
  },

  async mfa(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    await signIn(page, user)
    must(page.arrived.length === 0, 'a password alone is not enough')
    await fill(page, 'code', '000000')
    await press(page, 'code')
    must(page.arrived.length === 0, 'a wrong code is not enough')
    await fill(page, 'code', totp(user.totp_secret))
    await press(page, 'code')
    await allow(page)
    return answer(page)
  },

  async enrolment(chromium) {
    const page = await tab(chromium)
    await page.goto(`${issuer}/account`)
    await signIn(page, user)
    await press(page, 'add_totp')
    must((await page.$('svg')) !== null, 'a QR code is shown')
    const shown = await text(page)
    const secret = shown.match(/[A-Z2-7]{4}( ?[A-Z2-7]{4}){3,}/)?.[0].replaceAll(' ', '')
    must(secret, `a secret to type is shown:\n${shown}`)
    await fill(page, 'code', totp(secret))
    await press(page, 'confirm')
    const recovery = (await text(page)).match(/\b[a-z0-9]{4,6}(-[a-z0-9]{4,6})+\b/gi) ?? []
    must(recovery.length >= 8, `recovery codes are shown:\n${await text(page)}`)
    await press(page, 'continue')
    clean(page)
    // Another browser: the password is no longer enough; a recovery code works once.
    const other = await (await chromium.createBrowserContext()).newPage()
    const elsewhere = async () => {
      await other.goto(`${issuer}/account`)
      await signIn(other, user)
      await fill(other, 'code', recovery[0])
      await press(other, 'code')
      return (await other.$('button[value="logout"]')) !== null
    }
    const once = await elsewhere()
    await press(other, 'logout')
    const twice = await elsewhere()
    return { once, twice }
  },

  async passkey(chromium) {
    const page = await tab(chromium)
    const { devtools, authenticatorId } = await authenticator(page)
    await page.goto(`${issuer}/account`)
    await signIn(page, user)
    await press(page, 'add_passkey')
    await fill(page, 'name', 'Work laptop')
    await enrolPasskey(page)
    // Recovery codes come with the first factor, once.
    if (await page.$('button[value="continue"]')) await press(page, 'continue')
    await says(page, 'Work laptop')
    clean(page)
    await press(page, 'logout')
    // Instead of name and password.
    await page.goto(authorize)
    await usePasskey(page)
    await allow(page)
    clean(page)
    const alone = answer(page)
    await page.goto(`${issuer}/account`)
    await press(page, 'logout')
    // Beside the password, which is no longer enough.
    await page.goto(`${authorize}&prompt=login`)
    await signIn(page, user)
    must(page.arrived.length === 1, 'a password alone is not enough')
    await usePasskey(page)
    await allow(page)
    clean(page)
    const beside = answer(page)
    // Without the authenticator the page says so, and another way is open.
    await page.goto(`${issuer}/account`)
    await press(page, 'logout')
    await devtools.send('WebAuthn.removeCredential', {
      authenticatorId,
      credentialId: (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials[0].credentialId,
    })
    await page.goto(authorize)
    await page.click('form[data-passkey="get"] button')
    await page.waitForSelector('[data-failed]:not([hidden])', { timeout: 15000 })
    must(page.arrived.length === 2, 'nobody gets in')
    return { alone, beside }
  },

  async device(chromium) {
    const page = await tab(chromium)
    await page.goto(parameters.verification_uri)
    await fill(page, 'user_code', parameters.user_code.toLowerCase().replace('-', ' '))
    await press(page, 'user_code')
    if (await page.$('input[name="password"]')) await signIn(page, user)
    await says(page, parameters.user_code)
    await press(page, parameters.decision ?? 'allow')
    clean(page)
    return { text: await text(page) }
  },

  async device_link(chromium) {
    const page = await tab(chromium)
    await page.goto(parameters.verification_uri_complete)
    if (await page.$('input[name="user_code"]')) await press(page, 'user_code')
    if (await page.$('input[name="password"]')) await signIn(page, user)
    await says(page, parameters.user_code)
    return { asked: await onConsent(page) }
  },

  // The demo's relying party as a device, and the person in another browser.
  async demo_device(chromium) {
    const device = await (await chromium.createBrowserContext()).newPage()
    await device.goto(parameters.relying_party)
    await Promise.all([device.waitForNavigation(), device.click('a[href="/device"]')])
    const code = await device.$eval('.code', (element) => element.textContent)
    must((await device.$('svg path')) !== null, 'a QR code is shown')
    const shown = await device.$eval('svg', (element) => element.outerHTML)
    const address = await device.$eval('main a', (element) => element.href)
    const page = await tab(chromium)
    await page.goto(address)
    await fill(page, 'user_code', code)
    await press(page, 'user_code')
    await signIn(page, user)
    await says(page, code)
    await press(page, parameters.decision)
    // The page loads itself anew until it knows.
    await device.waitForFunction(() => !document.querySelector('.code'), { timeout: 30000 })
    const told = await text(device)
    await device.reload()
    const again = await text(device)
    return { code, shown, address, told, again }
  },

  async logout(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    await signIn(page, user)
    await allow(page)
    await page.goto(`${issuer}/logout`)
    await press(page, 'logout')
    const said = await text(page)
    await page.goto(`${authorize}&prompt=none`)
    return { said, after: answer(page) }
  },

  async back_button(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    await signIn(page, user)
    await allow(page)
    answer(page)
    const arrived = page.arrived.length
    await page.goBack({ waitUntil: 'load' }).catch(() => {})
    const seen = await text(page)
    must(page.arrived.length === arrived || page.arrived.length === arrived + 1, 'no loop')
    const password = await page.$eval('input[name="password"]', (field) => field.value).catch(() => '')
    must(password === '', 'no password comes back')
    return { seen, url: page.url() }
  },

  async two_tabs(chromium) {
    const [one, two] = [await tab(chromium), await tab(chromium)]
    await one.goto(authorize)
    await two.goto(parameters.authorize_other)
    await two.bringToFront()
    await signIn(two, user)
    await allow(two)
    await one.bringToFront()
    await signIn(one, user)
    await allow(one)
    return { one: answer(one), two: answer(two) }
  },

  async expired_page(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    await signIn(page, user)
    const form = page.url()
    must(form.includes('/interaction'), `the question has an address of its own: ${form}`)
    const old = await tab(chromium)
    await old.goto(form)
    must(await onConsent(old), 'the same question in another tab')
    await page.bringToFront()
    await allow(page)
    answer(page)
    // The page that has done its work, loaded anew and as it still stands in the other tab.
    await page.goto(form)
    await old.bringToFront()
    await press(old, 'allow')
    return { seen: await text(page), posted: await text(old), arrived: page.arrived.length + old.arrived.length }
  },

  async cookies_off(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    if (await page.$('input[name="password"]')) await signIn(page, user)
    must(page.arrived.length === 0, 'nobody signs in without cookies')
    return { seen: await text(page) }
  },

  async form_post(chromium) {
    const page = await tab(chromium)
    await page.goto(authorize)
    await signIn(page, user)
    await allow(page)
    await page.waitForFunction(() => document.title === 'client', { timeout: 5000 })
    clean(page)
    const last = page.arrived.at(-1)
    return { method: last.method, body: last.body }
  },
}

/** The page's script asks the authenticator, and posts what it says. */
async function enrolPasskey(page) {
  const button = await page.waitForSelector('form[data-passkey="create"] button', { timeout: 5000 })
  await Promise.all([page.waitForNavigation({ timeout: 15000 }), button.click()])
}

async function usePasskey(page) {
  const button = await page.waitForSelector('form[data-passkey="get"] button', { timeout: 5000 })
  await Promise.all([page.waitForNavigation({ timeout: 15000 }), button.click()])
}

const noCookies = { profile: { default_content_setting_values: { cookies: 2 } } }
await run(walks[parameters.walk], parameters.walk === 'cookies_off' ? noCookies : undefined)
