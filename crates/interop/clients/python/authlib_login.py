"""Authlib as a relying party: one step for each line of JSON on standard input, one line of JSON as the answer."""

import json
import sys

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.common.security import generate_token
from joserfc import jwt
from joserfc.jwk import KeySet


class RelyingParty:
    def __init__(self, parameters):
        self.parameters = parameters
        discovery = parameters["issuer"] + "/.well-known/openid-configuration"
        self.metadata = requests.get(discovery, verify=parameters["ca"], timeout=30).json()
        self.session = OAuth2Session(
            parameters["client_id"],
            parameters.get("client_secret"),
            token_endpoint_auth_method=parameters["auth"],
            revocation_endpoint_auth_method=parameters["auth"],
            scope=parameters["scope"],
            redirect_uri=parameters["redirect_uri"],
            code_challenge_method="S256",
        )
        self.verify = parameters["ca"]
        self.verifier = generate_token(64)
        self.nonce = generate_token(24)
        self.state = None

    def authorize(self):
        url, self.state = self.session.create_authorization_url(
            self.metadata["authorization_endpoint"],
            code_challenge=create_s256_code_challenge(self.verifier),
            code_challenge_method="S256",
            nonce=self.nonce,
            **self.parameters.get("authorize", {}),
        )
        return {"url": url, "verifier": self.verifier}

    def told(self, tokens):
        claims = None
        if tokens.get("id_token"):
            keys = requests.get(self.metadata["jwks_uri"], verify=self.parameters["ca"], timeout=30).json()
            algorithms = [self.parameters.get("id_token_alg", "RS256")]
            token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=algorithms)
            rules = jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self.parameters["issuer"]},
                aud={"essential": True, "value": self.parameters["client_id"]},
                exp={"essential": True},
                sub={"essential": True},
            )
            rules.validate(token.claims)
            claims = token.claims
        return {"tokens": dict(tokens), "claims": claims}

    def callback(self, url):
        tokens = self.session.fetch_token(
            self.metadata["token_endpoint"],
            authorization_response=url,
            state=self.state,
            code_verifier=self.verifier,
            verify=self.verify,
        )
        told = self.told(tokens)
        if told["claims"] and told["claims"].get("nonce") != self.nonce:
            return {"error": {"nonce": told["claims"].get("nonce")}}
        return told

    def refresh(self):
        return self.told(self.session.refresh_token(self.metadata["token_endpoint"], verify=self.verify))

    def userinfo(self):
        answer = self.session.get(self.metadata["userinfo_endpoint"], timeout=30, verify=self.verify)
        answer.raise_for_status()
        return {"userinfo": answer.json()}

    def revoke(self):
        token = self.session.token["refresh_token"]
        self.session.revoke_token(self.metadata["revocation_endpoint"], token=token, verify=self.verify)
        return {"revoked": True}


def main():
    party = RelyingParty(json.loads(sys.argv[1]))
    for line in sys.stdin:
        step = json.loads(line)
        try:
            outcome = getattr(party, step.pop("do"))(**step)
        except OAuthError as error:
            outcome = {"error": {"oauth": error.error}}
        except Exception as error:  # a test reads which
            outcome = {"error": {"transport": f"{type(error).__name__}: {error}"}}
        print(json.dumps(outcome), flush=True)


main()
