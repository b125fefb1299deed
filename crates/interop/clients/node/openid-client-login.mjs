// openid-client 6 as a relying party: one step for each line of JSON on standard input, one line of JSON as the answer.
import { createInterface } from 'node:readline'
import * as client from 'openid-client'
import { described, mutualTlsFetch, parameters } from './transport.mjs'

const authentication = {
  none: () => client.None(),
  client_secret_basic: () => client.ClientSecretBasic(parameters.client_secret),
  client_secret_post: () => client.ClientSecretPost(parameters.client_secret),
  tls_client_auth: () => client.TlsClientAuth(),
}

const configuration = await client.discovery(
  new URL(parameters.issuer),
  parameters.client_id,
  {
    id_token_signed_response_alg: parameters.id_token_alg ?? 'RS256',
    use_mtls_endpoint_aliases: parameters.auth === 'tls_client_auth',
  },
  authentication[parameters.auth](),
  { [client.customFetch]: mutualTlsFetch },
)

const checks = {
  pkceCodeVerifier: client.randomPKCECodeVerifier(),
  expectedState: client.randomState(),
  expectedNonce: client.randomNonce(),
}
let tokens

async function told(answer) {
  tokens = answer
  return { tokens: answer, claims: answer.claims() ?? null }
}

const steps = {
  async authorize() {
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: parameters.redirect_uri,
      scope: parameters.scope,
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...parameters.authorize,
    })
    return { url: url.href, verifier: checks.pkceCodeVerifier }
  },
  callback: async ({ url }) => told(await client.authorizationCodeGrant(configuration, new URL(url), checks)),
  posted: async ({ body }) => {
    const request = new Request(parameters.redirect_uri, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    })
    return told(await client.authorizationCodeGrant(configuration, request, checks))
  },
  refresh: async ({ scope }) =>
    told(await client.refreshTokenGrant(configuration, tokens.refresh_token, scope ? { scope } : undefined)),
  async userinfo() {
    const sub = tokens.claims()?.sub ?? client.skipSubjectCheck
    return { userinfo: await client.fetchUserInfo(configuration, tokens.access_token, sub) }
  },
  introspect: async () => ({
    introspection: await client.tokenIntrospection(configuration, tokens.access_token),
  }),
  async revoke() {
    await client.tokenRevocation(configuration, tokens.refresh_token)
    return { revoked: true }
  },
  async logout({ post_logout_redirect_uri, state }) {
    const hint = { id_token_hint: tokens.id_token }
    if (post_logout_redirect_uri) Object.assign(hint, { post_logout_redirect_uri, state })
    return { url: client.buildEndSessionUrl(configuration, hint).href }
  },
  async device() {
    checks.device = await client.initiateDeviceAuthorization(configuration, { scope: parameters.scope })
    return { device: checks.device }
  },
  poll: async () => told(await client.pollDeviceAuthorizationGrant(configuration, checks.device)),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: step, ...input } = JSON.parse(line)
  const outcome = await steps[step](input).catch(async (error) => ({ error: await described(error) }))
  console.log(JSON.stringify(outcome))
}
process.exit(0)
