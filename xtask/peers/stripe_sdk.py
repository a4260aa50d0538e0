"""Stripe's own SDK: as the judge of our sandbox's webhooks, as the writer of webhooks for us, as a client of our sandbox."""

import json
import time

import stripe

from report import refused, same, there
from world import changed

PEER = f"stripe {stripe.VERSION} (PyPI)"
NOT_SIGNED = stripe.SignatureVerificationError


def signatures(report, world, sandboxes, server):
    sandbox = sandboxes["stripe"]
    verify = stripe.Webhook.construct_event
    sandbox.send_webhooks_to(world.receiver.url)
    session = server.start("stripe", "stripe-1", "EUR", "DE")
    sandbox.complete(sandbox.session_of(session["id"]))
    taken = world.receiver.take(2)
    with report.check(PEER, "Webhook.construct_event accepts the sandbox's webhooks"):
        events = [verify(body, headers["stripe-signature"], sandbox.secret) for headers, body in taken]
        same({event.type for event in events}, {"setup_intent.succeeded", "checkout.session.completed"})
    with report.check(PEER, "... and refuses them with a changed body, another secret, another time"):
        for headers, body in taken:
            signature = headers["stripe-signature"]
            refused(NOT_SIGNED, verify, changed(body), signature, sandbox.secret)
            refused(NOT_SIGNED, verify, body, signature, "whsec_another")
            second = str(int(signature[2:12]) + 1)
            refused(NOT_SIGNED, verify, body, f"t={second}{signature[12:]}", sandbox.secret)
    with report.check(PEER, "what it accepts, the server acknowledges and settles by; what it refuses, the server refuses"):
        for headers, body in taken:
            same(server.deliver("stripe", headers, changed(body)).status_code, 401, "the answer")
        same(server.session(session)["status"], "active", "the session")
        for headers, body in taken:
            same(server.deliver("stripe", headers, body).status_code, 200, "the answer")
        server.settled(session, "completed", "webhook")

    sandbox.send_webhooks_to(None)
    session = server.start("stripe", "stripe-2", "EUR", "DE")
    there(sandbox.complete(sandbox.session_of(session["id"])), "the completion")
    event = sandbox.control("GET", "deliveries")[-1]["data"]
    body = json.dumps(event | {"id": "evt_signed_by_the_sdk"})
    sign = stripe.WebhookSignature.generate_signature_header

    def deliver(body, header):
        return server.deliver("stripe", {"Stripe-Signature": header}, body.encode()).status_code

    with report.check(PEER, "the server refuses a webhook that it signed: changed, by another secret, 10 minutes old"):
        same(deliver(body + " ", sign(body, sandbox.secret)), 401, "changed")
        same(deliver(body, sign(body, "whsec_another")), 401, "another secret")
        old = sign(body, sandbox.secret, int(time.time()) - 600)
        same(deliver(body, old), 401, "10 minutes old")
        refused(NOT_SIGNED, verify, body, old, sandbox.secret)
        same(server.session(session)["status"], "active", "the session")
    with report.check(PEER, "the server acknowledges one that it signed, and settles by it"):
        same(deliver(body, sign(body, sandbox.secret)), 200, "the answer")
        server.settled(session, "completed", "webhook")


def client(report, world, sandboxes):
    sandbox = sandboxes["stripe"]
    sandbox.send_webhooks_to(None)

    def sdk(key):
        return stripe.StripeClient(key, base_addresses={"api": sandbox.url}, max_network_retries=0)

    api = sdk(sandbox.secret_key).v1
    invalid = stripe.InvalidRequestError
    customer = intent = session = None
    urls = {"success_url": "https://shop.example/ok?s={CHECKOUT_SESSION_ID}", "cancel_url": "https://shop.example/no"}
    with report.check(PEER, "as a client of the sandbox: makes a customer"):
        profile = {"name": "Lorem Ipsum", "email": "lorem@example.com", "metadata": {"a": "b"}}
        customer = api.customers.create(profile)
        same((customer.name, customer.metadata["a"]), ("Lorem Ipsum", "b"))
    with report.check(PEER, "... makes a SetupIntent for cards, is told how it ended, with its payment method in full"):
        wanted = {"customer": customer.id, "usage": "off_session", "metadata": {"a": "b"}}
        intent = api.setup_intents.create(wanted | {"allowed_payment_method_types": ["card"]})
        same((intent.status, intent.payment_method_types), ("requires_payment_method", ["card"]))
        sandbox.complete(intent.id)
        intent = api.setup_intents.retrieve(intent.id, {"expand": ["payment_method"]})
        same((intent.status, intent.payment_method.card.last4), ("succeeded", "4242"))
        same(intent.payment_method.customer, customer.id)
    with report.check(PEER, "... makes one with automatic payment methods, cancels it, and not twice"):
        other = api.setup_intents.create({"automatic_payment_methods": {"enabled": True}})
        same(api.setup_intents.cancel(other.id).status, "canceled")
        refused(invalid, api.setup_intents.cancel, other.id)
    with report.check(PEER, "... makes a Checkout Session in setup mode, reads it back with everything in it"):
        wanted = {"mode": "setup", "currency": "eur", "customer": customer.id, "client_reference_id": "ses_1"}
        wanted |= {"setup_intent_data": {"metadata": {"a": "b"}}, "expires_at": int(time.time()) + 3600}
        session = api.checkout.sessions.create(wanted | urls)
        same((session.status, session.mode), ("open", "setup"))
        there(session.url, "the link")
        sandbox.complete(session.id, channel_code="card", card_number="5555555555554444")
        session = api.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
        same((session.status, session.setup_intent.status), ("complete", "succeeded"))
        same(session.setup_intent.payment_method.card.brand, "mastercard")
        same(session.setup_intent.metadata["a"], "b")
    with report.check(PEER, "... expires another, which cannot be done twice"):
        other = api.checkout.sessions.create({"mode": "setup", "currency": "eur"} | urls)
        same(api.checkout.sessions.expire(other.id).status, "expired")
        refused(invalid, api.checkout.sessions.expire, other.id)
    with report.check(PEER, "... detaches a payment method, finds it without customer, and cannot detach it again"):
        method = api.payment_methods.detach(intent.payment_method.id)
        same(api.payment_methods.retrieve(method.id).customer, None, "the customer")
        refused(invalid, api.payment_methods.detach, method.id)
    with report.check(PEER, "... reads its errors: a wrong key, a missing object, an unknown parameter, a key used for other"):
        refused(stripe.AuthenticationError, sdk("sk_test_wrong").v1.customers.create, {})
        missing = refused(invalid, api.setup_intents.retrieve, "seti_none")
        same((missing.http_status, missing.code), (404, "resource_missing"))
        same(refused(invalid, api.customers.create, {"nmae": "x"}).code, "parameter_unknown")
        # Removed from the version of the API that this SDK speaks.
        removed = {"customer": customer.id, "payment_method_types": ["card"]}
        same(refused(invalid, api.setup_intents.create, removed).code, "parameter_unknown")
        key = {"idempotency_key": "k1"}
        first = api.customers.create({"name": "a"}, key)
        same(api.customers.create({"name": "a"}, key).id, first.id, "the customer of the repeated key")
        refused(stripe.IdempotencyError, api.customers.create, {"name": "b"}, key)
    with report.check(PEER, "asks for the same version of the API as we do"):
        sandbox.same_version(lambda one: one["headers"]["stripe-version"])
