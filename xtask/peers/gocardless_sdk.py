"""GoCardless's own SDK: as the judge of our sandbox's webhooks and of those that we are sent, as a client of our sandbox."""

import hashlib
import hmac
import importlib.metadata
import json

import gocardless_pro
from gocardless_pro import errors, webhooks

from report import refused, same, there
from world import changed

PEER = f"gocardless_pro {importlib.metadata.version('gocardless_pro')} (PyPI)"
# What a webhook that is not signed is to be answered with.
NOT_SIGNED = 498


def signatures(report, world, sandboxes, server):
    sandbox = sandboxes["gocardless"]
    sandbox.send_webhooks_to(world.receiver.url)
    session = server.start("gocardless", "gocardless-1", "GBP", "GB")
    sandbox.complete(sandbox.session_of(session["id"]))
    ((headers, body),) = world.receiver.take(1)
    signature = headers["webhook-signature"]
    with report.check(PEER, "webhooks.parse accepts the sandbox's webhook, and reads its events"):
        events = webhooks.parse(body, sandbox.secret, signature)
        found = [(event.resource_type, event.action) for event in events]
        same(found, [("billing_requests", "fulfilled"), ("mandates", "created")])
        there(webhooks.parse_with_meta(body, sandbox.secret, signature).webhook_id, "the webhook's id")
    with report.check(PEER, "... and refuses it with a changed body, another secret, another signature"):
        refused(errors.InvalidSignatureError, webhooks.parse, changed(body), sandbox.secret, signature)
        refused(errors.InvalidSignatureError, webhooks.parse, body, "another", signature)
        refused(errors.InvalidSignatureError, webhooks.parse, body, sandbox.secret, signature[::-1])
    with report.check(PEER, "what it accepts, the server acknowledges and settles by; what it refuses, the server refuses"):
        same(server.deliver("gocardless", headers, changed(body)).status_code, NOT_SIGNED, "the changed one")
        same(server.session(session)["status"], "active", "the session")
        same(server.deliver("gocardless", headers, body).status_code, 200, "the answer")
        server.settled(session, "completed", "webhook")

    sandbox.send_webhooks_to(None)
    session = server.start("gocardless", "gocardless-2", "GBP", "GB")
    request = sandbox.session_of(session["id"])
    sandbox.complete(request)
    event = json.loads(body)["events"][0] | {"id": "EV0000WRITTENHERE"}
    event["links"], event["resource_metadata"] = {"billing_request": request}, {}
    written = json.dumps({"events": [event], "meta": {"webhook_id": "WB0000WRITTENHERE"}}).encode()

    def sign(body, secret):
        return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    def deliver(body, signature):
        return server.deliver("gocardless", {"Webhook-Signature": signature}, body).status_code

    with report.check(PEER, "a webhook that it refuses, changed or by another secret, the server refuses"):
        for sent, signature in (
            (written + b" ", sign(written, sandbox.secret)),
            (written, sign(written, "another")),
            (written, ""),
        ):
            refused(errors.InvalidSignatureError, webhooks.parse, sent, sandbox.secret, signature)
            same(deliver(sent, signature), NOT_SIGNED, "the answer")
        same(server.session(session)["status"], "active", "the session")
    with report.check(PEER, "one that was written here and that it accepts, the server acknowledges and settles by"):
        signature = sign(written, sandbox.secret)
        same(len(webhooks.parse(written, sandbox.secret, signature)), 1, "the number of events")
        same(deliver(written, signature), 200, "the answer")
        server.settled(session, "completed", "webhook")


def client(report, world, sandboxes):
    sandbox = sandboxes["gocardless"]
    sandbox.send_webhooks_to(None)

    def sdk(token, **more):
        return gocardless_pro.Client(access_token=token, base_url=f"{sandbox.url}/", **more)

    api = sdk(sandbox.secret_key)
    request = mandate = None
    wanted = {"mandate_request": {"currency": "GBP", "scheme": "bacs"}, "metadata": {"order": "1"}}
    with report.check(PEER, "as a client of the sandbox: makes a billing request; a repeated key finds the same"):
        headers = {"Idempotency-Key": "key-1"}
        request = api.billing_requests.create(params=wanted, headers=headers)
        same((request.status, request.mandate_request.scheme), ("pending", "bacs"))
        again = api.billing_requests.create(params=wanted, headers=headers)
        same(again.id, request.id, "the repeated billing request")
        strict = sdk(sandbox.secret_key, raise_on_idempotency_conflict=True)
        create = strict.billing_requests.create
        refused(errors.IdempotentCreationConflictError, create, params=wanted, headers=headers)
    with report.check(PEER, "... makes a flow for it, with a link for the customer"):
        uris = {"redirect_uri": "https://shop.example/back", "exit_uri": "https://shop.example/exit"}
        links = {"links": {"billing_request": request.id}, "prefilled_customer": {"given_name": "Lorem"}}
        flow = api.billing_request_flows.create(params=uris | links | {"lock_currency": True})
        same(flow.links.billing_request, request.id)
        there(flow.authorisation_url, "the link")
    with report.check(PEER, "... reads the fulfilled request, its mandate, the customer and the bank account"):
        sandbox.complete(request.id)
        request = api.billing_requests.get(request.id)
        same(request.status, "fulfilled")
        mandate = api.mandates.get(request.links.mandate_request_mandate)
        same((mandate.status, mandate.scheme), ("pending_submission", "bacs"))
        same(api.customers.get(mandate.links.customer).id, request.links.customer)
        account = api.customer_bank_accounts.get(mandate.links.customer_bank_account)
        same((account.account_number_ending, account.country_code), ("11", "GB"))
    with report.check(PEER, "... lists the customer's mandates, by status too, and pages through them"):
        of_customer = {"customer": mandate.links.customer}
        same([one.id for one in api.mandates.list(params=of_customer).records], [mandate.id], "the list")
        same(api.mandates.list(params=of_customer | {"status": "active"}).records, [], "the active ones")
        other = api.billing_requests.create(params=wanted | {"links": of_customer})
        sandbox.complete(other.id, card_number="31926819")
        pages = list(api.mandates.all(params=of_customer | {"limit": 1}))
        same((len(pages), len({one.id for one in pages})), (2, 2), "mandates by pages of one")
    with report.check(PEER, "... has the simulator activate it, cancels it, and not twice"):
        simulate = api.scenario_simulators.run
        simulate("mandate_activated", params={"links": {"resource": mandate.id}})
        same(api.mandates.get(mandate.id).status, "active")
        same(api.mandates.cancel(mandate.id).status, "cancelled")
        refused(errors.InvalidStateError, api.mandates.cancel, mandate.id)
    with report.check(PEER, "... cancels a billing request, and not twice"):
        other = api.billing_requests.create(params=wanted)
        same(api.billing_requests.cancel(other.id).status, "cancelled")
        refused(errors.InvalidStateError, api.billing_requests.cancel, other.id)
    with report.check(PEER, "... reads its errors: a wrong token, a missing object, an unknown field, a wrong value"):
        refused(errors.AuthenticationError, sdk("sandbox_wrong").mandates.get, mandate.id)
        same(refused(errors.InvalidApiUsageError, api.mandates.get, "MD0000NONE").code, 404)
        create = api.billing_requests.create
        refused(errors.ValidationFailedError, create, params={"mandate_request": {"curency": "GBP"}})
        refused(errors.ValidationFailedError, create, params={"mandate_request": {"currency": "XXX"}})
    with report.check(PEER, "asks for the same version of the API as we do"):
        sandbox.same_version(lambda one: one["headers"]["gocardless-version"])
