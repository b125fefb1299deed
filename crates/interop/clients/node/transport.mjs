// One client certificate (or none) for every request of a run, as `fetch` with an undici dispatcher.
import { readFileSync } from 'node:fs'
import { Agent, fetch } from 'undici'

/** The run's parameters: JSON in the first argument. */
export const parameters = JSON.parse(process.argv[2])

const read = (path) => (path ? readFileSync(path) : undefined)

const agent = new Agent({
  connect: { ca: read(parameters.ca), cert: read(parameters.cert), key: read(parameters.key) },
})

/** `fetch` as the libraries call it, over that agent. */
export const mutualTlsFetch = (url, options) => fetch(url, { ...options, dispatcher: agent })

/** The P-256 key that assertions are signed with, from PKCS#8 in PEM. */
export async function signingKey() {
  const base64 = readFileSync(parameters.jwt_key, 'utf8').replace(/-----[^-]+-----|\s/g, '')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  return crypto.subtle.importKey('pkcs8', Buffer.from(base64, 'base64'), algorithm, false, ['sign'])
}

/** Prints the run's outcome as one line of JSON and closes the connections. */
export async function finish(outcome) {
  console.log(JSON.stringify(outcome))
  await agent.close()
}

/** What a test compares of an error: an OAuth answer by code and status, anything else by its kind. */
export async function described(error) {
  const response = error.response ?? error.cause
  const status = error.status ?? response?.status
  if (!status) return { transport: error.cause?.code ?? error.code ?? String(error) }
  const challenges = Array.isArray(error.cause) ? error.cause : []
  const code = error.error ?? challenges[0]?.parameters?.error ?? (await codeInBody(response))
  return { oauth: code ?? null, status, code: error.code ?? null }
}

/** A challenge (401 with WWW-Authenticate) is reported before its body is read: the OAuth code is in the body. */
async function codeInBody(response) {
  try {
    return (await response.json()).error
  } catch {
    return undefined
  }
}
