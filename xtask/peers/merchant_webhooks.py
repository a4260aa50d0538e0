"""The Standard Webhooks project's library as a merchant: it must accept what our server sends, and nothing else."""

import importlib.metadata
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from report import refused, same
from world import changed

PEER = f"standardwebhooks {importlib.metadata.version('standardwebhooks')} (PyPI)"


def run(report, world, sandboxes, server):
    sandbox = sandboxes["stripe"]
    sandbox.send_webhooks_to(f"{server.url}/webhooks/stripe")
    wanted = {"url": world.receiver.url, "events": ["session.completed", "payment_method.saved"]}
    endpoint = server.call("POST", "/v1/webhook-endpoints", wanted)
    session = server.start("stripe", "merchant-1", "EUR", "DE")
    sandbox.complete(sandbox.session_of(session["id"]))
    taken = world.receiver.take(2)
    merchant = Webhook(endpoint["secret"])
    with report.check(PEER, "accepts the events that the server sends to the merchant"):
        events = [merchant.verify(body, headers) for headers, body in taken]
        same({event["type"] for event in events}, set(wanted["events"]))
        same({headers["webhook-id"] for headers, _ in taken}, {event["id"] for event in events}, "the ids")
    with report.check(PEER, "... and refuses them with a changed body, another id, another time, another secret"):
        another = Webhook("whsec_" + "A" * 43 + "=")
        for headers, body in taken:
            refused(WebhookVerificationError, merchant.verify, changed(body), headers)
            refused(WebhookVerificationError, merchant.verify, body, headers | {"webhook-id": "evt_another"})
            now = str(int(time.time()) + 5)
            refused(WebhookVerificationError, merchant.verify, body, headers | {"webhook-timestamp": now})
            refused(WebhookVerificationError, another.verify, body, headers)
    with report.check(PEER, "after a change of secrets accepts the next event by the old one and by the new one"):
        rotated = server.call("POST", f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret", {})
        server.call("POST", f"/v1/webhook-endpoints/{endpoint['id']}/test")
        ((headers, body),) = world.receiver.take(1)
        merchant.verify(body, headers)
        Webhook(rotated["secret"]).verify(body, headers)
        refused(WebhookVerificationError, merchant.verify, changed(body), headers)
    server.call("DELETE", f"/v1/webhook-endpoints/{endpoint['id']}")
