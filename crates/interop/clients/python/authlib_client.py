"""Authlib over requests: client credentials with a certificate, a secret or an assertion, introspection, revocation, a
resource.

Parameters are JSON in the first argument; the outcome is one line of JSON.
"""

import json
import sys

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.jwk import ECKey


def tls_client_auth(client, method, uri, headers, body):
    """RFC 8705 section 2: the certificate authenticates, the body names the client."""
    separator = "&" if body else ""
    return uri, headers, f"{body}{separator}client_id={client.client_id}"


def key_or_secret(parameters):
    """The private key that assertions are signed with takes the place of the secret."""
    if not parameters.get("jwt_key"):
        return parameters.get("client_secret")
    with open(parameters["jwt_key"]) as file:
        return ECKey.import_key(file.read())


def described(error):
    if isinstance(error, OAuthError):
        return {"oauth": error.error, "description": error.description}
    return {"transport": type(error).__name__}


def main(parameters):
    certificate = (parameters["cert"], parameters["key"]) if parameters.get("cert") else None
    verify = parameters["ca"]
    discovery = parameters["issuer"] + "/.well-known/openid-configuration"
    metadata = requests.get(discovery, verify=verify, timeout=30).json()
    mutual_tls = parameters["auth"].endswith("tls_client_auth")
    endpoints = dict(metadata)
    if mutual_tls or parameters.get("use_aliases"):
        endpoints.update(metadata["mtls_endpoint_aliases"])

    session = OAuth2Session(
        parameters["client_id"],
        key_or_secret(parameters),
        token_endpoint_auth_method=parameters["auth"],
        revocation_endpoint_auth_method=parameters["auth"],
        scope=parameters.get("scope"),
        token=parameters.get("access_token") and {
            "access_token": parameters["access_token"],
            "token_type": "Bearer",
        },
    )
    for name in ("tls_client_auth", "self_signed_tls_client_auth"):
        session.register_client_auth_method((name, tls_client_auth))
    # Assertions name the token endpoint as their audience, wherever they go.
    session.register_client_auth_method(ClientSecretJWT(metadata["token_endpoint"]))
    session.register_client_auth_method(PrivateKeyJWT(metadata["token_endpoint"], alg="ES256"))
    # A certificate bundle named by the environment would win over the server's CA.
    session.trust_env = False
    session.verify = verify
    session.cert = certificate

    outcome = {}
    if not parameters.get("access_token"):
        extra = {"resource": parameters["resource"]} if parameters.get("resource") else {}
        outcome["token"] = session.fetch_token(
            endpoints["token_endpoint"], grant_type="client_credentials", **extra
        )
    if parameters.get("resource_url"):
        answer = session.get(parameters["resource_url"])
        outcome["resource"] = {"status": answer.status_code, "body": answer.text}
    if parameters.get("introspect"):
        answer = session.introspect_token(endpoints["introspection_endpoint"], token=parameters["introspect"])
        outcome["introspection"] = answer.json()
    if parameters.get("revoke"):
        answer = session.revoke_token(endpoints["revocation_endpoint"], token=parameters["revoke"])
        outcome["revoked"] = answer.status_code == 200
    return outcome


if __name__ == "__main__":
    try:
        result = main(json.loads(sys.argv[1]))
    except (OAuthError, requests.RequestException) as error:
        result = {"error": described(error)}
    print(json.dumps(result))
