// oauth4webapi 3: the same flow by its lower-level calls, and its own RFC 9068 validation of what came.
import * as oauth from 'oauth4webapi'
import { described, finish, mutualTlsFetch, parameters, signingKey } from './transport.mjs'

const authentication = {
  tls_client_auth: () => oauth.TlsClientAuth(),
  self_signed_tls_client_auth: () => oauth.TlsClientAuth(),
  client_secret_basic: () => oauth.ClientSecretBasic(parameters.client_secret),
  client_secret_post: () => oauth.ClientSecretPost(parameters.client_secret),
  client_secret_jwt: () => oauth.ClientSecretJwt(parameters.client_secret),
  private_key_jwt: async () => oauth.PrivateKeyJwt({ key: await signingKey(), kid: parameters.kid }),
}

async function run() {
  const issuer = new URL(parameters.issuer)
  const overTls = { [oauth.customFetch]: mutualTlsFetch }
  const discovery = await oauth.discoveryRequest(issuer, {
    algorithm: parameters.algorithm ?? 'oidc',
    ...overTls,
  })
  const server = await oauth.processDiscoveryResponse(issuer, discovery)
  const mutualTls = parameters.auth.endsWith('tls_client_auth')
  const client = {
    client_id: parameters.client_id,
    use_mtls_endpoint_aliases: mutualTls || Boolean(parameters.use_aliases),
  }
  const method = await authentication[parameters.auth]()
  const outcome = {}
  let token = parameters.access_token
  if (!token) {
    const request = new URLSearchParams()
    if (parameters.scope) request.set('scope', parameters.scope)
    if (parameters.resource) request.set('resource', parameters.resource)
    const answer = await oauth.clientCredentialsGrantRequest(server, client, method, request, overTls)
    outcome.token = await oauth.processClientCredentialsResponse(server, client, answer)
    token = outcome.token.access_token
  }
  if (parameters.audience) {
    const headers = { authorization: `Bearer ${token}` }
    const request = new Request('https://resource.example/', { headers })
    outcome.claims = await oauth.validateJwtAccessToken(server, request, parameters.audience, overTls)
  }
  if (parameters.resource_url) {
    try {
      const url = new URL(parameters.resource_url)
      const answer = await oauth.protectedResourceRequest(token, 'GET', url, undefined, undefined, overTls)
      outcome.resource = { status: answer.status, body: await answer.text() }
    } catch (error) {
      outcome.resource = await described(error)
    }
  }
  if (parameters.introspect) {
    const answer = await oauth.introspectionRequest(server, client, method, parameters.introspect, overTls)
    outcome.introspection = await oauth.processIntrospectionResponse(server, client, answer)
  }
  if (parameters.revoke) {
    const answer = await oauth.revocationRequest(server, client, method, parameters.revoke, overTls)
    await oauth.processRevocationResponse(answer)
    outcome.revoked = true
  }
  return outcome
}

await finish(await run().catch(async (error) => ({ error: await described(error) })))
