"""CPU time of Keystone's own token formatters: formatters.py CALLS KEY USER_ID"""

import pathlib
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")

import keystone.conf
from keystone.common import jwt_utils
from keystone.token import token_formatters
from keystone.token.providers.jws import core as jws

CALLS, KEY, USER = int(sys.argv[1]), sys.argv[2], sys.argv[3]
PROJECT = "c01ec4b87d21437eab890b4776ab6212"
AUDIT = ["CQkJCQkJCQkJCQkJCQkJCQ"]
EXPIRES = "2099-01-01T00:00:00.000000Z"


def measure(name, call):
    call()
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(CALLS):
            call()
        rounds.append((time.process_time() - start) / CALLS)
    print(f"{name:<44} {sorted(rounds)[2] * 1e6:8.2f} us")


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for name in ("fernet", "private", "public"):
        (folder / name).mkdir(mode=0o700)
    (folder / "fernet" / "1").write_text(KEY)
    jwt_utils.create_jws_keypair(str(folder / "private/private.pem"), str(folder / "public/public.pem"))
    conf = keystone.conf.CONF
    keystone.conf.configure()
    conf([], project="keystone")
    conf.set_override("key_repository", str(folder / "fernet"), "fernet_tokens")
    conf.set_override("jws_private_key_repository", str(folder / "private"), "jwt_tokens")
    conf.set_override("jws_public_key_repository", str(folder / "public"), "jwt_tokens")

    fernet = token_formatters.TokenFormatter()
    kind = token_formatters.ProjectScopedPayload
    write = lambda: fernet.create_token(USER, EXPIRES, AUDIT, kind, methods=["password"], project_id=PROJECT)
    token = write()
    measure("Fernet token read, by Keystone", lambda: fernet.validate_token(token))
    measure("Fernet token written, by Keystone", write)

    formatter = jws.JWSFormatter()
    sign = lambda: formatter.create_token(USER, EXPIRES, AUDIT, ["password"], project_id=PROJECT)[0]
    signed = sign()
    measure("JWS token read, by Keystone", lambda: formatter.validate_token(signed))
    measure("JWS token written, by Keystone", sign)
