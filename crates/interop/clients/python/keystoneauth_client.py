"""A plugin of keystoneauth1, by its name: logs in, tells the token and what it is for, calls a service with it.

Parameters are JSON in the first argument: `plugin`, `options` (the plugin's own), `ca`, `cert` and `key` if the client
has a certificate, `call` (a URL) if a service shall be called. The outcome is one line of JSON.
"""

import json
import sys

from keystoneauth1 import exceptions, loading, session


def main(parameters):
    loader = loading.get_plugin_loader(parameters["plugin"])
    plugin = loader.load_from_options(**parameters["options"])
    certificate = (parameters["cert"], parameters["key"]) if parameters.get("cert") else None
    client = session.Session(auth=plugin, verify=parameters["ca"], cert=certificate)
    # A certificate bundle named by the environment would win over the CA.
    client.session.trust_env = False
    # Before the access: the OAuth 2.0 plugins keep their access token beside it.
    headers = client.get_auth_headers()
    access = plugin.get_access(client)
    outcome = {
        "headers": headers,
        "token": access.auth_token,
        "user_id": access.user_id,
        "user_name": access.username,
        "project_id": access.project_id,
        "roles": access.role_names,
        "expires": access.expires.isoformat(),
    }
    if parameters.get("call"):
        answer = client.get(parameters["call"], raise_exc=False)
        outcome["service"] = {"status": answer.status_code, "body": answer.text}
    return outcome


if __name__ == "__main__":
    try:
        result = main(json.loads(sys.argv[1]))
    except (exceptions.ClientException, KeyError, ValueError) as error:
        status = getattr(error, "http_status", None)
        result = {"error": {"type": type(error).__name__, "status": status, "message": str(error)}}
    print(json.dumps(result))
