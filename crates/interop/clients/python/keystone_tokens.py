"""Logs in to the lab's Keystone in every way that it knows; prints `[{"kind", "token"}]`.

Usage: keystone_tokens.py LAB_FOLDER [RECEIPT]

With a receipt: the login by the second factor that it makes possible, and nothing else.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import sys
import time
import urllib.parse

import oauthlib.oauth1
import requests

LAB = pathlib.Path(sys.argv[1])
ENV = json.loads((LAB / "lab.json").read_text())["env"]
SEED = json.loads((LAB / "seed.json").read_text())
URL = ENV["OS_AUTH_URL"]
USERS, PROJECTS, DOMAINS = SEED["users"], SEED["projects"], SEED["domains"]


def call(method, path, *, status, token=None, **more):
    headers = more.pop("headers", {})
    if token:
        headers["X-Auth-Token"] = token
    answer = requests.request(method, path if "://" in path else URL + path, headers=headers, timeout=60, **more)
    if answer.status_code != status:
        raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer


def login(methods, scope=None, headers=None, status=201):
    auth = {"identity": {"methods": list(methods), **methods}}
    if scope is not None:
        auth["scope"] = scope
    return call("POST", "/auth/tokens?nocatalog", status=status, json={"auth": auth}, headers=headers or {}).headers


def password(user):
    found = USERS[user]
    return {"password": {"user": {"id": found["id"], "password": found["password"]}}}


def by_password(user, scope):
    return login(password(user), scope)["X-Subject-Token"]


def rescoped(token, scope):
    return login({"token": {"id": token}}, scope)["X-Subject-Token"]


def by_credential(name):
    found = SEED["application_credentials"][name]
    return login({"application_credential": {"id": found["id"], "secret": found["secret"]}})["X-Subject-Token"]


def totp():
    secret = USERS["bob"]["totp_secret"]
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return {"totp": {"user": {"id": USERS["bob"]["id"], "passcode": f"{(number & 0x7FFFFFFF) % 10**6:06d}"}}}


def by_certificate():
    form = {"grant_type": "client_credentials", "client_id": USERS["ci-bot"]["id"]}
    pair = SEED["certs"]["ci-bot"]
    url = ENV["KEYSTONE_LAB_TLS_NGINX"] + "/OS-OAUTH2/token"
    answer = call("POST", url, status=200, data=form, verify=SEED["ca"], cert=(pair["cert"], pair["key"]))
    return answer.json()["access_token"]


def federated():
    path = "/OS-FEDERATION/identity_providers/labidp/protocols/openid/auth"
    return call("GET", path, status=201, headers=dict(SEED["federation"]["headers"])).headers["X-Subject-Token"]


def by_oauth1():
    service = {"project": {"id": PROJECTS["service"]}}
    administrator = by_password("sysadmin", {"system": {"all": True}})
    consumer = call("POST", "/OS-OAUTH1/consumers", status=201, token=administrator,
                    json={"consumer": {"description": "test"}}).json()["consumer"]

    def signed(path, headers=None, **more):
        client = oauthlib.oauth1.Client(consumer["id"], client_secret=consumer["secret"], **more)
        return client.sign(URL + path, http_method="POST", headers=headers or {})[1]

    def pairs(path, **more):
        text = call("POST", path, status=201, headers=signed(path, **more)).text
        return dict(urllib.parse.parse_qsl(text))

    asked = pairs("/OS-OAUTH1/request_token", callback_uri="oob",
                  headers={"Requested-Project-Id": PROJECTS["service"]})
    roles = {"roles": [{"id": SEED["roles"]["service"]}]}
    allowed = call("PUT", f"/OS-OAUTH1/authorize/{asked['oauth_token']}", status=200,
                   token=by_password("nova", service), json=roles).json()["token"]
    given = pairs("/OS-OAUTH1/access_token", resource_owner_key=asked["oauth_token"],
                  resource_owner_secret=asked["oauth_token_secret"], verifier=allowed["oauth_verifier"])
    header = signed("/auth/tokens", resource_owner_key=given["oauth_token"],
                    resource_owner_secret=given["oauth_token_secret"])["Authorization"]
    auth = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    return call("POST", "/auth/tokens", status=201, json=auth,
                headers={"Authorization": header}).headers["X-Subject-Token"]


def kinds():
    web = {"project": {"id": PROJECTS["web"]}}
    yield "unscoped", by_password("alice", "unscoped")
    yield "project", by_password("alice", web)
    yield "project, rescoped", rescoped(by_password("alice", "unscoped"), web)
    yield "project, two factors", login({**password("bob"), **totp()}, web)["X-Subject-Token"]
    yield "domain", by_password("alice", {"domain": {"id": DOMAINS["acme"]}})
    yield "system", by_password("sysadmin", {"system": {"all": True}})
    for name, trust in SEED["trusts"].items():
        yield f"trust, {name}", by_password("carol", {"OS-TRUST:trust": {"id": trust}})
    for name in ("restricted", "unrestricted", "access_rules"):
        yield f"application credential, {name}", by_credential(name)
    yield "certificate", by_certificate()
    yield "OAuth 1.0a", by_oauth1()
    yield "federated", federated()
    yield "federated, project", rescoped(federated(), {"project": {"id": PROJECTS["lab"]}})
    yield "federated, domain", rescoped(federated(), {"domain": {"id": DOMAINS["globex"]}})
    yield "receipt", login(password("bob"), web, status=401)["Openstack-Auth-Receipt"]


if len(sys.argv) > 2:
    headers = {"Openstack-Auth-Receipt": sys.argv[2]}
    found = [("after a receipt", login(totp(), {"project": {"id": PROJECTS["web"]}}, headers)["X-Subject-Token"])]
else:
    found = kinds()
json.dump([{"kind": kind, "token": token} for kind, token in found], sys.stdout)
