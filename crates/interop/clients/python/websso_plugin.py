"""The listeners of the two plugins that are called `v3websso`, as they wait for Keystone's form.

Parameters are JSON in the first argument: `plugin` (`built-in` or `keystoneauth-websso`), `port`, `keystone` (an origin),
`timeout`. The first line on standard output tells whether the port was open when the browser was to be opened; the last one
is the token, or what went wrong.
"""

import json
import socket
import sys


def is_open(port):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def built_in(parameters, opened):
    from keystoneauth1.identity.v3 import websso

    return websso._wait_for_token(
        "localhost", parameters["port"], parameters["keystone"], opened, timeout=parameters["timeout"]
    )


def older(parameters, opened):
    from keystoneauth_websso import plugin

    plugin.webbrowser.open = lambda *_arguments, **_options: opened()
    client = plugin.OpenIDConnect(
        parameters["keystone"] + "/v3", "sealstone", "openid", redirect_port=parameters["port"]
    )
    return client._get_auth_token()


def main(parameters):
    def opened():
        # A look from this process would be the one request that the older plugin serves, were it listening.
        line = {"open": is_open(parameters["port"])}
        print(json.dumps(line), flush=True)

    wait = built_in if parameters["plugin"] == "built-in" else older
    return {"token": wait(parameters, opened)}


if __name__ == "__main__":
    try:
        result = main(json.loads(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - whatever ends a login is the outcome
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
