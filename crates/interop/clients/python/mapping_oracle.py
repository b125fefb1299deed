"""Keystone's own mapping engine, asked line by line.

Each line of standard input is JSON: `mapping` and `assertion`; each gets one line of JSON: `mapped`, or why not:
`invalid` (refused when saved), `refused` (an error that Keystone answers with), `crashed` (any other exception).
A line with `certificate` (PEM) gets `names`: the attributes that Keystone's OAuth 2.0 API gives the mapping.
With `--measure`, the one line read holds `mapping`, `assertions` and `seconds`; the answer is how many assertions were
mapped in how many seconds of the processor.
"""

import copy
import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

import flask
import keystone.conf
from keystone import exception
from keystone.auth.plugins import mapped
from keystone.common import utils as utilities
from keystone.federation import utils

keystone.conf.configure()
keystone.conf.CONF([], project="keystone", default_config_files=[])

APPLICATION = flask.Flask("oracle")


class Domains:
    """Every domain exists, under an id made of its name."""

    def get_domain_by_name(self, name):
        return {"id": f"id of {name}"}


def processor(mapping):
    return utils.create_attribute_mapping_rules_processor({"id": "mapping", **mapping})


def answer(mapping, assertion):
    try:
        utils.validate_mapping_structure(mapping)
    except Exception as error:
        return {"invalid": str(error)}
    try:
        result = processor(mapping).process(assertion)
        if result["user"]["type"] == utils.UserType.EPHEMERAL:
            with APPLICATION.test_request_context():
                mapped.validate_and_prepare_federated_user(copy.deepcopy(result), "idp", Domains())
        for group in result["group_names"]:
            # What `transform_to_group_ids` reads.
            group["name"], group["domain"].get("id") or group["domain"].get("name")
    except exception.Error as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    except Exception as error:
        return {"crashed": f"{type(error).__name__}: {error}"}
    return {"mapped": result}


def names(certificate):
    subject = utilities.get_certificate_subject_dn(certificate)
    issuer = utilities.get_certificate_issuer_dn(certificate)
    found = {f"SSL_CLIENT_SUBJECT_DN_{key.upper()}": value for key, value in subject.items()}
    found.update({f"SSL_CLIENT_ISSUER_DN_{key.upper()}": value for key, value in issuer.items()})
    return found


def measure(mapping, assertions, seconds):
    engine = processor(mapping)
    count = 0
    start = time.process_time()
    while time.process_time() - start < seconds:
        for assertion in assertions:
            engine.process(assertion)
        count += len(assertions)
    return {"count": count, "seconds": time.process_time() - start}


def main():
    if "--measure" in sys.argv:
        job = json.loads(sys.stdin.readline())
        print(json.dumps(measure(job["mapping"], job["assertions"], job["seconds"])))
        return
    for line in sys.stdin:
        job = json.loads(line)
        if "certificate" in job:
            print(json.dumps({"names": names(job["certificate"])}))
            continue
        print(json.dumps(answer(job["mapping"], job["assertion"])))


if __name__ == "__main__":
    main()
