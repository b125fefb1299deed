// openid-client 6: discovery, client credentials over the mutual-TLS aliases, introspection, revocation, a resource.
import * as client from 'openid-client'
import { described, finish, mutualTlsFetch, parameters, signingKey } from './transport.mjs'

const authentication = {
  tls_client_auth: () => client.TlsClientAuth(),
  self_signed_tls_client_auth: () => client.TlsClientAuth(),
  client_secret_basic: () => client.ClientSecretBasic(parameters.client_secret),
  client_secret_post: () => client.ClientSecretPost(parameters.client_secret),
  client_secret_jwt: () => client.ClientSecretJwt(parameters.client_secret),
  private_key_jwt: async () => client.PrivateKeyJwt({ key: await signingKey(), kid: parameters.kid }),
}

async function run() {
  const mutualTls = parameters.auth.endsWith('tls_client_auth')
  const configuration = await client.discovery(
    new URL(parameters.issuer),
    parameters.client_id,
    { use_mtls_endpoint_aliases: mutualTls || Boolean(parameters.use_aliases) },
    await authentication[parameters.auth](),
    { algorithm: parameters.algorithm ?? 'oidc', [client.customFetch]: mutualTlsFetch },
  )
  const outcome = {}
  let token = parameters.access_token
  if (!token) {
    const request = {}
    if (parameters.scope) request.scope = parameters.scope
    if (parameters.resource) request.resource = parameters.resource
    outcome.token = await client.clientCredentialsGrant(configuration, request)
    token = outcome.token.access_token
  }
  if (parameters.resource_url) {
    try {
      const url = new URL(parameters.resource_url)
      const answer = await client.fetchProtectedResource(configuration, token, url, 'GET')
      outcome.resource = { status: answer.status, body: await answer.text() }
    } catch (error) {
      outcome.resource = await described(error)
    }
  }
  if (parameters.introspect) {
    outcome.introspection = await client.tokenIntrospection(configuration, parameters.introspect)
  }
  if (parameters.revoke) {
    await client.tokenRevocation(configuration, parameters.revoke)
    outcome.revoked = true
  }
  return outcome
}

await finish(await run().catch(async (error) => ({ error: await described(error) })))
