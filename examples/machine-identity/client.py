"""Gets tokens bound to the certificate ci.pem, and calls a service with them over the same certificate. Needs requests."""

import os
import time

import requests

TOKEN_ENDPOINT = os.environ.get("TOKEN_ENDPOINT", "https://id.example.org:8444/v4/oauth2/ops/token")
SERVICE = os.environ.get("SERVICE", "https://compute.example.org/v2.1/servers")
# A token is not used in the last seconds of its life: it would end on its way.
MARGIN = 30


class BoundTokens(requests.auth.AuthBase):
    """One token for many requests, until shortly before it ends."""

    def __init__(self, session, client_id, scope):
        self._session = session
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "scope": scope}
        self._token = None
        self._until = 0.0

    def __call__(self, request):
        if time.monotonic() >= self._until:
            begun = time.monotonic()
            # auth=None would be this object again.
            answer = self._session.post(TOKEN_ENDPOINT, data=self._form, auth=lambda plain: plain, timeout=30)
            if answer.status_code != 200:
                raise SystemExit(f"{answer.status_code} {answer.text} request id {answer.headers.get('X-Request-Id')}")
            told = answer.json()
            self._token = told["access_token"]
            self._until = begun + told["expires_in"] - MARGIN
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


session = requests.Session()
# The machine's own certificate alone decides who is asked and shown what: nothing of the environment.
session.trust_env = False
session.verify = "ca.pem"
session.cert = ("ci.pem", "ci.key")
session.auth = BoundTokens(session, "ci", "openstack:api")

for _ in range(2):
    answer = session.get(SERVICE, timeout=30)
    answer.raise_for_status()
print(answer.text)
