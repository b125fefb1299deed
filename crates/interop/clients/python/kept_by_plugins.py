"""Leaves a login behind as the two older plugins do.

Parameters are JSON in the first argument: `plugin` (`keystoneauth-websso` or `keystoneauth-oidc-browser`), `caches` (the
folder), `auth_url`, `token`, `client_id`, `scope`. The one line on standard output says which file it is, which mode it had
before it was protected, and which mode its folder has.
"""

import hashlib
import json
import os
import pathlib
import sys


def websso(parameters, state, modes):
    from keystoneauth_websso import plugin

    protect = pathlib.Path.chmod

    def seen(path, mode):
        modes["before"] = oct(path.stat().st_mode & 0o7777)
        protect(path, mode)

    pathlib.Path.chmod = seen
    client = plugin.OpenIDConnect(
        parameters["auth_url"], "sealstone", "openid", cache_path=parameters["caches"]
    )
    client.put_cached_data(state)
    return client._get_cache_path()


def oidc_browser(parameters, state, _modes):
    """In the form of keystoneauth-oidc-browser 1.0.1 where it finds no keyring."""
    elements = {
        "auth_url": parameters["auth_url"],
        "oidc_access_token_type": "access_token",
        "oidc_client_id": parameters["client_id"],
        "oidc_identity_provider": "sealstone",
        "oidc_protocol": "openid",
        "oidc_scope": parameters["scope"],
    }
    text = "unscoped\0" + "".join(f"{name}\0{value}\0" for name, value in sorted(elements.items()))
    name = hashlib.sha256(hashlib.sha256(text.encode()).hexdigest().encode()).hexdigest()
    folder = pathlib.Path(parameters["caches"]) / "keystoneauth" / "v3oidcbrowser"
    folder.mkdir(parents=True, mode=0o700)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"version": 1, "expires_at": 4000000000.0, "state": state}))
    path.chmod(0o600)
    return path


def main(parameters):
    os.umask(0o022)
    state = json.dumps({"auth_token": parameters["token"], "body": {"token": {}}})
    modes = {}
    leave = websso if parameters["plugin"] == "keystoneauth-websso" else oidc_browser
    path = leave(parameters, state, modes)
    return {"file": str(path), "folder": oct(path.parent.stat().st_mode & 0o7777), **modes}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
