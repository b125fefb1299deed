"""Listens to notifications by oslo.messaging, and prints what each holds, a JSON object a line.

Arguments: the transport's address, the authority's file, how many different events to wait for.
"""
import json
import os
import sys
import tempfile
import threading
import warnings

warnings.simplefilter("ignore")

import oslo_messaging
from oslo_config import cfg

address, authority, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
conf = cfg.ConfigOpts()
with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
    file.write(
        f"[oslo_messaging_rabbit]\nssl = true\nssl_ca_file = {authority}\namqp_durable_queues = true\n"
        "heartbeat_in_pthread = false\n"
    )
    file.flush()
    conf(["--config-file", file.name])
transport = oslo_messaging.get_notification_transport(conf, url=address)
seen, done = set(), threading.Event()


class Endpoint:
    def info(self, context, publisher_id, event_type, payload, metadata):
        told = {"publisher": publisher_id, "type": event_type, "message_id": metadata["message_id"],
                "timestamp": metadata["timestamp"], "event": payload}
        # One write: the listener's threads print side by side.
        os.write(1, (json.dumps(told) + "\n").encode())
        seen.add(payload["attachments"][0]["content"]["sequence"])
        if len(seen) >= wanted:
            done.set()
        return oslo_messaging.NotificationResult.HANDLED


listener = oslo_messaging.get_notification_listener(
    transport, [oslo_messaging.Target(topic="notifications", exchange="keystone")], [Endpoint()], executor="threading"
)
listener.start()
came = done.wait(60)
sys.stdout.flush()
os._exit(0 if came else 1)
