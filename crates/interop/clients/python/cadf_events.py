"""Judges CADF events, a JSON object a line on standard input, by pycadf's own classes. Prints how many were right."""
import json
import sys
import warnings

from pycadf import cadftaxonomy, event, host, identifier, reason, resource

# It would have every id a UUID; Keystone's are none either.
warnings.simplefilter("ignore")


def made(part):
    where = part.get("host")
    return resource.Resource(
        id=part["id"], typeURI=part["typeURI"], name=part.get("name"), host=host.Host(**where) if where else None
    )


def within(value, taxonomy):
    return any(value == known or value.startswith(known + "/") for known in taxonomy)


def judge(data):
    assert set(data) <= {
        "action", "attachments", "eventTime", "eventType", "id", "initiator", "observer", "outcome", "reason", "target",
        "typeURI",
    }, data.keys()
    assert data["typeURI"] == "http://schemas.dmtf.org/cloud/audit/1.0/event"
    assert identifier.is_valid(data["id"]) and len(data["id"]) == 36
    assert within(data["action"], cadftaxonomy.ACTION_TAXONOMY), data["action"]
    for role in ("initiator", "target", "observer"):
        assert within(data[role]["typeURI"], cadftaxonomy.RESOURCE_TAXONOMY), data[role]
    for attachment in data.get("attachments", ()):
        assert set(attachment) == {"content", "name", "typeURI"}, attachment
    why = reason.Reason(**data["reason"]) if "reason" in data else None
    assert (data["outcome"] == "failure") == (why is not None)
    whole = event.Event(
        eventType=data["eventType"], id=data["id"], eventTime=data["eventTime"], action=data["action"],
        outcome=data["outcome"], initiator=made(data["initiator"]), target=made(data["target"]),
        observer=made(data["observer"]), **({"reason": why} if why else {}),
    )
    assert whole.is_valid()


count = 0
for line in sys.stdin:
    judge(json.loads(line))
    count += 1
print(count)
