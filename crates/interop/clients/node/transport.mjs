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

/** Prints the run's outcome as one line of JSON and closes the connections. */
export async function finish(outcome) {
  console.log(JSON.stringify(outcome))
  await agent.close()
}

/** What a test compares of an error: an OAuth answer by code and status, anything else by its kind. */
export function described(error) {
  const code = error.error ?? error.cause?.[0]?.parameters?.error ?? error.cause?.parameters?.error
  const status = error.status ?? error.response?.status
  if (status) return { oauth: code ?? null, status, code: error.code ?? null }
  return { transport: error.cause?.code ?? error.code ?? String(error) }
}
