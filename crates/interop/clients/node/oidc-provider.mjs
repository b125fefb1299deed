// node oidc-provider 9 as the provider upstream of a broker, with the traits of Authelia: `sub` is a UUID, claims about
// the person come from userinfo alone, access tokens are opaque. Its parameters are one JSON argument; it prints one
// line for each request, beginning with the host that was asked, and `ready` when it listens.
import { createHash, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import Provider from 'oidc-provider'

const parameters = JSON.parse(process.argv[2])
const kinds = { RS256: ['rsa', { modulusLength: 2048 }], ES256: ['ec', { namedCurve: 'P-256' }] }
const keys = Object.entries(kinds).map(([alg, [type, options]]) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg,
}))

function uuid(name) {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

// The login form takes any name; the account is found again by its UUID.
const names = new Map(parameters.people.map(person => [uuid(person.login), person]))

const provider = new Provider(parameters.issuer, {
  clients: [{
    client_id: parameters.client_id,
    ...(parameters.client_secret && { client_secret: parameters.client_secret }),
    redirect_uris: parameters.redirect_uris,
    token_endpoint_auth_method: parameters.auth,
    id_token_signed_response_alg: parameters.alg,
  }],
  jwks: { keys },
  cookies: { keys: ['interop'] },
  claims: {
    openid: ['sub', 'amr', 'acr'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  scopes: ['openid', 'profile', 'email', 'groups'],
  conformIdTokenClaims: true,
  pkce: { required: () => true },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: false } },
  async findAccount(_context, id) {
    const person = names.get(id) ?? names.get(uuid(id))
    if (person === undefined) return undefined
    const { login, ...claims } = person
    return { accountId: uuid(login), claims: async () => ({ sub: uuid(login), ...claims }) }
  },
  // Consent was given once for all.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope('openid profile email groups')
    await grant.save()
    return grant
  },
})

// The account is the UUID from the login on, so that a session and a token name the same subject.
const authenticate = provider.interactionFinished.bind(provider)
provider.interactionFinished = (request, response, result, options) => {
  if (result.login?.accountId) result.login.accountId = uuid(result.login.accountId)
  if (result.login) result.login.amr = ['pwd']
  return authenticate(request, response, result, options)
}

const handle = provider.callback()
const server = createServer(
  { cert: readFileSync(parameters.cert), key: readFileSync(parameters.key) },
  (request, response) => {
    console.log(`${request.headers.host} ${request.method} ${request.url.split('?')[0]}`)
    handle(request, response)
  },
)
server.listen(parameters.port, '127.0.0.1', () => console.log('ready'))
