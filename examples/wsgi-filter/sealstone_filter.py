"""A WSGI filter that takes Sealstone's access tokens, and leaves everything else to keystonemiddleware's auth_token.

It stands where auth_token stood in the service's paste pipeline. README.md says how, and what it sets and refuses.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import importlib
import json
import logging
import re
import ssl
import threading
import time
import urllib.parse

import jwt

LOG = logging.getLogger("sealstone_filter")

# What is taken, with the kind of key that each needs. A key of another kind in the key set is not used.
ALGORITHMS = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519"), "RS256": ("RSA", None)}
# The limits of Sealstone's own verifiers: crates/resource and crates/tokens.
MAX_TOKEN_OCTETS = 16 * 1024
MAX_KEY_SET_OCTETS = 64 * 1024
MAX_REVOCATION_OCTETS = 1024 * 1024
# How far the clocks of two nodes of an issuer may be apart.
CLOCKS_APART_S = 20
MAX_KEYS = 64
MAX_RULES = 64
MIN_RSA_BITS = 2048
# How far `iat` and `nbf` may lie ahead of this clock. The end of a token gets no such grace.
CLOCK_SKEW_S = 60
# The issuer publishes a key that much earlier than it signs with it.
KEY_SET_LIFETIME_S = 300
# The least time between two fetches of the key set, whatever keys the requests name.
REFETCH_S = 10
# How long documents are used while the issuer can't be reached; then the answer is 503.
MAX_STALENESS_S = 3600
FETCH_DEADLINE_S = 5
# The pause after a fetch that failed, and what 503 tells the sender to wait.
RETRY_AFTER_S = 5

_HEADERS = {
    "X{}-Domain-Id": "domain_id",
    "X{}-Domain-Name": "domain_name",
    "X{}-Project-Id": "project_id",
    "X{}-Project-Name": "project_name",
    "X{}-Project-Domain-Id": "project_domain_id",
    "X{}-Project-Domain-Name": "project_domain_name",
    "X{}-User-Id": "user_id",
    "X{}-User-Name": "user_name",
    "X{}-User-Domain-Id": "user_domain_id",
    "X{}-User-Domain-Name": "user_domain_name",
}
# Names that services of old still read, and what auth_token fills them from.
_DEPRECATED = {
    "X-Role": "X-Roles",
    "X-User": "X-User-Name",
    "X-Tenant-Id": "X-Project-Id",
    "X-Tenant-Name": "X-Project-Name",
    "X-Tenant": "X-Project-Name",
}
_SCOPES = {
    "project": ("project_id", "project_name", "project_domain_id"),
    "domain": ("domain_id", "domain_name"),
    "system": (),
    "unscoped": (),
}
_SCOPE_MEMBERS = {member for members in _SCOPES.values() for member in members}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _environ(header):
    return "HTTP_" + header.upper().replace("-", "_")


def _identity_names():
    names = {"X-Identity-Status", "X-Service-Identity-Status", "X-Is-Admin-Project", "X-Service-Catalog"}
    # auth_token leaves this one as it came where the service decides by itself (delay_auth_decision).
    names.add("OpenStack-System-Scope")
    names.update(_DEPRECATED)
    for prefix in ("", "-Service"):
        names.update(header.format(prefix) for header in _HEADERS)
        names.add(f"X{prefix}-Roles")
    return frozenset(map(_environ, names))


_IDENTITY = _identity_names()


class Refused(Exception):
    """What the sender is told, and in `detail` what only the log says."""

    def __init__(self, status, code, description, detail=None):
        super().__init__(description)
        self.status, self.code, self.description, self.detail = status, code, description, detail


def _request(detail):
    return Refused("400 Bad Request", "invalid_request", detail)


def _invalid(detail, description="the access token is not valid"):
    return Refused("401 Unauthorized", "invalid_token", description, detail)


_UNAVAILABLE = "the keys of the token issuer cannot be fetched now"


def _unavailable(detail):
    return Refused("503 Service Unavailable", "temporarily_unavailable", _UNAVAILABLE, detail)


# --- reading ---------------------------------------------------------------------------------------------------------


def _object(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a repeated member")
    return members


def _no_constant(name):
    raise ValueError(f"{name} is no JSON")


def _json(octets):
    try:
        value = json.loads(octets.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _base64url(text):
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return octets


def _text(members, name, required=True):
    """A text without control characters: what comes from here ends up in headers and logs."""
    value = members.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        raise _invalid(f"{name} is missing or malformed")
    return value


def _seconds(claims, name, required=True):
    value = claims.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise _invalid(f"{name} is missing or malformed")
    return value


# --- the issuer's documents ------------------------------------------------------------------------------------------


class _Document:
    """A document of the issuer, fetched when it is asked for and too old."""

    def __init__(self, url, context, lifetime, limit, read):
        parts = urllib.parse.urlsplit(url)
        self._host, self._port, self._path = parts.hostname, parts.port or 443, parts.path
        self._context, self._lifetime, self._limit, self._read = context, lifetime, limit, read
        self._lock = threading.Lock()
        self._value = self._fetched = None
        self._next, self._usable_s = 0, MAX_STALENESS_S

    def current(self, older_than=None):
        """The document, at most its lifetime old while the issuer answers; fetched anew when it is `older_than`."""
        with self._lock:
            now = time.monotonic()
            due = self._fetched is None or now - self._fetched >= self._lifetime or self._value is older_than
            if due and now >= self._next:
                self._refresh(now)
            if self._fetched is None or now - self._fetched > self._usable_s:
                raise _unavailable(f"https://{self._host}:{self._port}{self._path} is not known")
            return self._value

    def _refresh(self, now):
        try:
            value, usable_s = self._read(_json(self._get(now)))
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError) as error:
            LOG.error("%s of %s can't be used: %r", self._path, self._host, error)
            self._next = time.monotonic() + min(RETRY_AFTER_S, self._lifetime)
            return
        self._value, self._fetched, self._usable_s = value, now, min(usable_s, MAX_STALENESS_S)
        self._next = now + min(REFETCH_S, self._lifetime)

    def _get(self, began):
        """Follows no redirection, heeds no proxy of the environment, reads no more and no longer than it must."""
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=FETCH_DEADLINE_S, context=self._context
        )
        try:
            connection.request("GET", self._path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            body = b""
            while piece := answer.read1(64 * 1024):
                body += piece
                if len(body) > self._limit:
                    raise ValueError(f"longer than {self._limit} octets")
                if time.monotonic() - began > FETCH_DEADLINE_S:
                    raise ValueError("too slow")
            return body
        finally:
            connection.close()


class _Issuer:
    def __init__(self, url, context, revocation_interval_s):
        parts = urllib.parse.urlsplit(url)
        domain = re.fullmatch(r".*/v4/oauth2/([A-Za-z0-9_-]+)", parts.path)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or not domain:
            raise ValueError(f"issuers: `{url}` is not of the form https://HOST/v4/oauth2/DOMAIN")
        self.url = url
        self.audience = f"openstack-apis:{domain[1]}"
        self.keys = _Document(
            url + "/jwks", context, KEY_SET_LIFETIME_S, MAX_KEY_SET_OCTETS, self._read_keys
        )
        self.revocations = _Document(
            url + "/jwks/revocation",
            context,
            revocation_interval_s,
            MAX_REVOCATION_OCTETS,
            self._read_revocations,
        )

    @staticmethod
    def _read_keys(document):
        """The keys by `kid`. Two of one name, and the whole set is refused; keys of no use here are passed over."""
        keys = {}
        entries = document["keys"] if isinstance(document.get("keys"), list) else None
        if entries is None or len(entries) > MAX_KEYS:
            raise ValueError("not a key set")
        for entry in entries:
            if not isinstance(entry, dict):
                raise ValueError("not a key set")
            kid, algorithm = entry.get("kid"), entry.get("alg")
            kind = (entry.get("kty"), entry.get("crv"))
            named = isinstance(kid, str) and isinstance(algorithm, str) and entry.get("use", "sig") == "sig"
            if not named or ALGORITHMS.get(algorithm) != kind:
                continue
            if kid in keys:
                raise ValueError("two keys of one name")
            try:
                key = jwt.PyJWK.from_dict(entry, algorithm)
            except jwt.PyJWTError as error:
                raise ValueError("an unusable key") from error
            if algorithm == "RS256" and key.key.key_size < MIN_RSA_BITS:
                raise ValueError("a weak key")
            keys[kid] = (algorithm, key)
        return keys, MAX_STALENESS_S

    def _read_revocations(self, document):
        if document.get("iss") != self.url:
            raise ValueError("the document names another issuer")
        made, ends = document.get("iat"), document.get("exp")
        usable_s = MAX_STALENESS_S
        if ends is not None:
            # By the issuer's clock alone, so that a difference between the clocks doesn't matter.
            usable_s = ends - made if isinstance(made, int) and isinstance(ends, int) else 0
            if usable_s <= 0:
                raise ValueError("the document ended before it was made")
        keys, tokens = document["revoked_keys"], document["revoked_tokens"]
        if not isinstance(keys, list) or not isinstance(tokens, list):
            raise ValueError("not a revocation document")
        if not all(isinstance(token, dict) and isinstance(token.get("jti"), str) for token in tokens):
            raise ValueError("not a revocation document")
        if not all(isinstance(key, str) for key in keys):
            raise ValueError("not a revocation document")
        ended = {}
        for entry in document.get("ended_clients", []):
            client, until, version = entry["client_id"], entry["until"], entry.get("version")
            if not isinstance(until, int) or not isinstance(version, (int, type(None))):
                raise ValueError("not a revocation document")
            ended.setdefault(client, []).append((until, version))
        return (frozenset(keys), frozenset(token["jti"] for token in tokens), ended), usable_s

    def key(self, kid):
        keys = self.keys.current()
        if kid not in keys:
            keys = self.keys.current(older_than=keys)
        return keys.get(kid)


# --- the token -------------------------------------------------------------------------------------------------------


def _head(token):
    """Header and claims as they are written, before anything of them is believed. None for what is no JWS."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        return _json(_base64url(parts[0])), parts
    except (ValueError, binascii.Error):
        return None


def _bearer(environ):
    """The token of the Authorization header, or None. A header that was sent twice arrives joined by a comma."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _certificate(environ):
    """DER of the certificate whose key the sender proved to the web server, or None.

    A variable that the web server sets, or the server's own socket: never a header of the request, which arrives as
    HTTP_….
    """
    pem = environ.get("SSL_CLIENT_CERT")
    if pem:
        match = _PEM.fullmatch(pem)
        if not match:
            raise _request("the client certificate of the web server is malformed")
        try:
            return base64.b64decode("".join(match[1].split()), validate=True)
        except binascii.Error as error:
            raise _request("the client certificate of the web server is malformed") from error
    find = getattr(environ.get("wsgi.input"), "get_socket", None)
    peer = getattr(find() if find else None, "getpeercert", None)
    return peer(True) if peer else None


def _matches(pattern, path):
    """Keystone's patterns, by segments: `*` and `{name}` stand for one, `**` for any number."""
    pattern, path = pattern.split("/"), path.split("/")
    at = seen = 0
    retry = None
    while seen < len(path):
        expected = pattern[at] if at < len(pattern) else None
        if expected == "**":
            retry = (at, seen)
            at += 1
            continue
        if expected is not None:
            wild = expected == "*" or (expected.startswith("{") and expected.endswith("}"))
            if (path[seen] != "") if wild else (expected == path[seen]):
                at, seen = at + 1, seen + 1
                continue
        if retry is None:
            return False
        star, taken = retry
        retry = (star, taken + 1)
        at, seen = star + 1, taken + 1
    return all(segment == "**" for segment in pattern[at:])


def _is_plain(path):
    """Whether nothing in the path can lead a service elsewhere than where it was compared."""
    lower = path.lower()
    segments = path.removeprefix("/").removesuffix("/").split("/")
    return (
        path.startswith("/")
        and not any(odd in lower for odd in ("%2f", "%2e", "%5c", "\\", "\x00"))
        and (segments == [""] or not any(segment in ("", ".", "..") for segment in segments))
    )


def _flag(options, name):
    value = options.pop(name, "false").strip().lower()
    if value not in ("true", "false"):
        raise ValueError(f"{name}: true or false")
    return value == "true"


class SealstoneFilter:
    """Judges requests that carry a token of Sealstone; `fallback` judges the others before they come to `app`."""

    def __init__(self, app, fallback, options):
        options = dict(options)
        try:
            context = ssl.create_default_context(cafile=options.pop("ca_file", None))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            interval = float(options.pop("revocation_interval_s", "10"))
            if not 0 < interval <= 60:
                raise ValueError("revocation_interval_s: more than 0, at most 60")
            issuers = [_Issuer(url, context, interval) for url in options.pop("issuers").split()]
        except KeyError as error:
            raise ValueError(f"{error.args[0]}: is needed") from error
        self._issuers = {issuer.url: issuer for issuer in issuers}
        self._service_type = options.pop("service_type", None)
        self._admin_project_id = options.pop("admin_project_id", None)
        self._bearer_too = _flag(options, "dangerous_accept_bearer_tokens")
        if not self._issuers:
            raise ValueError("issuers: is needed")
        if options:
            raise ValueError(f"unknown options: {', '.join(sorted(options))}")
        self._app, self._fallback = app, fallback

    def __call__(self, environ, start_response):
        for name in _IDENTITY:
            environ.pop(name, None)
        try:
            token = _bearer(environ)
            head = _head(token) if token else None
            # Keystone's own tokens are not of this type; whatever is, is decided here and nowhere else.
            if head is None or str(head[0].get("typ")).lower() not in ("at+jwt", "application/at+jwt"):
                return self._fallback(environ, start_response)
            claims = self._verify(token, *head, environ)
            self._confirm(environ, claims)
        except Refused as refused:
            LOG.info("request refused: %s", refused.detail or refused.description)
            return _answer(refused, start_response)
        return self._app(environ, start_response)

    def _verify(self, token, header, parts, environ):
        if len(token) > MAX_TOKEN_OCTETS:
            raise _invalid("the token is too long")
        if environ.get("HTTP_X_AUTH_TOKEN") or environ.get("HTTP_X_STORAGE_TOKEN"):
            raise _request("send one token")
        try:
            claims = _json(_base64url(parts[1]))
            signature = _base64url(parts[2])
        except (ValueError, binascii.Error) as error:
            raise _invalid(f"the token can't be read: {error}") from error
        url = claims.get("iss")
        issuer = self._issuers.get(url) if isinstance(url, str) else None
        if issuer is None:
            raise _invalid("another issuer")
        revoked_keys, revoked_tokens, ended_clients = issuer.revocations.current()
        self._check_signature(issuer, header, parts, signature, revoked_keys)
        self._check_claims(issuer, claims)
        self._check_possession(claims, environ)
        if _text(claims, "jti") in revoked_tokens:
            raise _invalid("the token was revoked", "the access token was revoked")
        self._check_client(claims, ended_clients)
        return claims

    @staticmethod
    def _check_client(claims, ended_clients):
        issued, version = _seconds(claims, "iat"), claims.get("client_version")
        for until, first in ended_clients.get(_text(claims, "client_id"), ()):
            if first is None:
                is_over = issued <= until
            elif isinstance(version, int):
                is_over = version < first
            else:
                is_over = issued <= until + CLOCKS_APART_S
            if is_over:
                raise _invalid("the client was disabled", "the access token was revoked")

    @staticmethod
    def _check_signature(issuer, header, parts, signature, revoked_keys):
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise _invalid("an algorithm that is not taken")
        if not isinstance(kid, str) or "crit" in header or "b64" in header:
            raise _invalid("the header names no key, or demands what is not known")
        if kid in revoked_keys:
            raise _invalid("the key was revoked", "the access token was revoked")
        published_for, key = issuer.key(kid) or (None, None)
        if published_for != algorithm:
            raise _invalid("a key that is not in the key set, or not of this algorithm")
        if not key.Algorithm.verify(".".join(parts[:2]).encode("ascii"), key.key, signature):
            raise _invalid("the signature is wrong")

    @staticmethod
    def _check_claims(issuer, claims):
        audience = claims.get("aud")
        audience = [audience] if isinstance(audience, str) else audience
        if not isinstance(audience, list) or issuer.audience not in audience:
            raise _invalid("another audience", "the access token is meant for another resource")
        now = time.time()
        if now >= _seconds(claims, "exp"):
            raise _invalid("expired", "the access token has expired")
        starts = max(_seconds(claims, "iat"), _seconds(claims, "nbf", required=False) or 0)
        if starts > now + CLOCK_SKEW_S:
            raise _invalid("it starts later")
        for name in ("sub", "client_id"):
            _text(claims, name)

    def _check_possession(self, claims, environ):
        if "cnf" not in claims:
            if not self._bearer_too:
                raise _invalid("unbound", "the access token must be bound to a client certificate")
            return
        bound_to = claims["cnf"]
        if not isinstance(bound_to, dict) or list(bound_to) != ["x5t#S256"]:
            raise _invalid("bound to something that no certificate proves")
        certificate = _certificate(environ)
        if not certificate:
            raise _invalid(
                "no certificate", "the access token is bound to a client certificate, and none was presented"
            )
        digest = base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=")
        if not hmac.compare_digest(digest, str(bound_to["x5t#S256"]).encode("utf-8")):
            raise _invalid("another certificate", "the access token is bound to another client certificate")

    def _confirm(self, environ, claims):
        """Sets what auth_token sets, from the token alone."""
        context = claims.get("openstack_context")
        if not isinstance(context, dict):
            raise _invalid("no openstack_context")
        scope = _text(context, "scope_type")
        if scope not in _SCOPES or any(
            (member in _SCOPES[scope]) != (member in context) for member in _SCOPE_MEMBERS
        ):
            raise _invalid("the members of the context are not those of its scope")
        roles = context.get("roles")
        # A name with a comma would be two roles to the service.
        if not isinstance(roles, list) or not all(
            isinstance(role, str) and role and "," not in role and not _CONTROL.search(role) for role in roles
        ):
            raise _invalid("the roles are malformed")
        self._check_access_rules(environ, context)
        headers = {"X-Identity-Status": "Confirmed", "X-Roles": ",".join(roles)}
        required = ("user_id", "user_name", "user_domain_id", *_SCOPES[scope])
        for header, member in _HEADERS.items():
            headers[header.format("")] = _text(context, member, required=member in required)
        if scope == "system":
            headers["OpenStack-System-Scope"] = "all"
        admin = self._admin_project_id in (None, context.get("project_id"))
        headers["X-Is-Admin-Project"] = "True" if admin else "False"
        for old, name in _DEPRECATED.items():
            headers[old] = headers[name]
        environ.update({_environ(name): value for name, value in headers.items() if value is not None})
        # Nobody behind needs the token, a service token goes unjudged here, and neither may end up in a log.
        for name in ("HTTP_AUTHORIZATION", "HTTP_X_SERVICE_TOKEN", "keystone.token_info", "keystone.token_auth"):
            environ.pop(name, None)

    def _check_access_rules(self, environ, context):
        rules = context.get("access_rules")
        if rules is None:
            return
        if not isinstance(rules, list) or len(rules) > MAX_RULES:
            raise _invalid("the access rules are malformed")
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        allowed = False
        for rule in rules:
            if not isinstance(rule, dict) or set(rule) != {"service", "method", "path"}:
                raise _invalid("the access rules are malformed")
            service, method, pattern = (_text(rule, name) for name in ("service", "method", "path"))
            if method not in _METHODS or not pattern.startswith("/"):
                raise _invalid("the access rules are malformed")
            named = service == self._service_type and method == environ["REQUEST_METHOD"]
            allowed = allowed or (named and _is_plain(path) and _matches(pattern, path))
        if not allowed:
            raise Refused(
                "403 Forbidden",
                "insufficient_scope",
                "the access rules of the token do not allow this request",
            )


def _answer(refused, start_response):
    body = json.dumps({"error": refused.code, "error_description": refused.description}).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    if refused.status.startswith("503"):
        headers.append(("Retry-After", str(RETRY_AFTER_S)))
    else:
        challenge = f'Bearer realm="sealstone", error="{refused.code}", error_description="{refused.description}"'
        headers.append(("WWW-Authenticate", challenge))
    start_response(refused.status, headers)
    return [body]


def _refuse_others(environ, start_response):
    """What stands behind the filter where there is no Keystone: nothing is let through."""
    start_response(
        "401 Unauthorized",
        [("Content-Length", "0"), ("Cache-Control", "no-store"), ("WWW-Authenticate", 'Bearer realm="sealstone"')],
    )
    return [b""]


def filter_factory(global_conf, **local_conf):
    """For paste.deploy. `fallback` names a filter factory as MODULE:NAME; `fallback.OPTION` are its options."""
    behind, own = {}, {}
    for name, value in local_conf.items():
        own_name = name.removeprefix("fallback.")
        (own if own_name == name else behind)[own_name] = value
    named = own.pop("fallback", "keystonemiddleware.auth_token:filter_factory")
    if named == "none":
        if behind:
            raise ValueError("fallback: none takes no options")
        make = None
    else:
        module, _, factory = named.partition(":")
        make = getattr(importlib.import_module(module), factory)(global_conf, **behind)
    return lambda app: SealstoneFilter(app, make(app) if make else _refuse_others, own)
