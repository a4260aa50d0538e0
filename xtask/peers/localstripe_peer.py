"""localstripe, a stateful Stripe by others, as a gateway of a real server of ours."""

import importlib.metadata
import os
import sys
import time

import requests
import stripe

from report import refused, same, there
from world import Billfold, changed, free_port, until

PEER = f"localstripe {importlib.metadata.version('localstripe')} (PyPI)"
KEY = "sk_test_localstripe"
SECRET = "whsec_localstripe"
# It tells of customers and not of SetupIntents, so their end is learnt by asking.
ASK_AFTER = [2, 4, 6, 8, 10, 15, 20, 30]
FLOW = {"provider_options": {"flow": "setup_intent"}, "channels": ["card"]}


class LocalStripe:
    def __init__(self, world):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "localstripe_server.py")
        command = [sys.executable, script, str(port)]
        world.start(command, os.path.join(world.folder, "localstripe.log")).ready(f"{self.url}/js.stripe.com/v3/")

    def call(self, method, path, **fields):
        answer = requests.request(method, f"{self.url}{path}", json=fields or None, auth=(KEY, ""), timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def method(self, customer, **kind):
        """A payment method that is the customer's. The real one attaches it when its SetupIntent succeeds; here it must be
        attached before."""
        made = self.call("POST", "/v1/payment_methods", **kind)
        return self.call("POST", f"/v1/payment_methods/{made['id']}/attach", customer=customer)["id"]

    def confirm(self, secret, **method):
        """What the script in the customer's browser does: a public key and the client secret."""
        intent = secret.split("_secret_")[0]
        fields = {"key": "pk_test_localstripe", "client_secret": secret} | method
        return requests.post(f"{self.url}/v1/setup_intents/{intent}/confirm", json=fields, timeout=30)


def card(number):
    return {"type": "card", "card": {"number": number, "exp_month": "12", "exp_year": "2034", "cvc": "123"}}


def run(report, world):
    gateway = LocalStripe(world)
    settings = {"secret_key": KEY, "webhook_secret": SECRET, "base_url": gateway.url}
    server = Billfold(world, "localstripe", [("local", "stripe", settings)], ASK_AFTER)
    gateway.call("POST", "/_config/webhooks/receiver", url=world.receiver.url, secret=SECRET)

    def intent_of(session):
        return session["next"]["secret"].split("_secret_")[0]

    session = None
    with report.check(PEER, "it has no Checkout: its 404, which is not in Stripe's words, is not taken for Stripe's"):
        same(server.call("POST", "/v1/gateways/local/check")["problem"], "the gateway refused the request", "the problem")
        told = refused(AssertionError, server.start, "local", "local-0", "EUR", "FR")
        there("gateway_rejected" in str(told), f"gateway_rejected in {told}")
        world.receiver.take(1)
    with report.check(PEER, "makes our customer and our SetupIntent, with all that we say of them"):
        session = server.start("local", "local-1", "EUR", "FR", **FLOW)
        intent = gateway.call("GET", f"/v1/setup_intents/{intent_of(session)}")
        expected = {"billfold_session": session["id"], "billfold_flow": "setup_intent", "cart": "7"}
        same((intent["metadata"], intent["usage"]), (expected, "off_session"))
        same(intent["payment_method_types"], ["card"])
        customer = gateway.call("GET", f"/v1/customers/{intent['customer']}")
        same((customer["email"], customer["name"]), ("lorem@example.com", "Lorem Ipsum"))
    with report.check(PEER, "its signed webhook: the server acknowledges it, and refuses it with a changed body"):
        ((headers, body),) = world.receiver.take(1)
        signature = headers["stripe-signature"]
        same(stripe.Webhook.construct_event(body, signature, SECRET).type, "customer.created")
        same(server.deliver("local", headers, changed(body)).status_code, 401, "changed")
        same(server.deliver("local", headers, body).status_code, 200, "the answer")
    with report.check(PEER, "a customer confirms with a test card, and a sweep saves the method"):
        method = gateway.method(intent["customer"], **card("4242424242424242"))
        same(gateway.confirm(session["next"]["secret"] + "x", payment_method=method).status_code, 401, "a wrong secret")
        same(gateway.confirm(session["next"]["secret"], payment_method=method).status_code, 200, "the confirmation")
        server.settled(session, "completed", "sweep")
        (saved,) = server.methods(session)
        same((saved["status"], saved["kind"], saved["display"]["last4"]), ("active", "card", "4242"))
    with report.check(PEER, "deleting the method at the server detaches it there"):
        server.call("DELETE", f"/v1/payment-methods/{saved['id']}")
        at_gateway = f"/v1/payment_methods/{method}"
        until("it is detached", lambda: gateway.call("GET", at_gateway)["customer"] is None)
    with report.check(PEER, "the customer's second session has the same customer there; a bank debit is saved"):
        flow = FLOW | {"channels": ["sepa_debit"]}
        session = server.start("local", "local-1", "EUR", "FR", **flow)
        same(gateway.call("GET", f"/v1/setup_intents/{intent_of(session)}")["customer"], intent["customer"])
        debit = {"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}}
        method = gateway.method(intent["customer"], **debit)
        same(gateway.confirm(session["next"]["secret"], payment_method=method).status_code, 200, "the confirmation")
        server.settled(session, "completed", "sweep")
        (saved,) = server.methods(session)
        same((saved["kind"], saved["channel"], saved["display"]["last4"]), ("bank_debit", "sepa_debit", "3000"))
    with report.check(PEER, "a card whose bank asks leaves the session active, until it is canceled at both"):
        session = server.start("local", "local-2", "EUR", "FR", **FLOW)
        asks = {"payment_method_data": card("4000002500003155")}
        same(gateway.confirm(session["next"]["secret"], **asks).json()["status"], "requires_action", "the intent")
        time.sleep(ASK_AFTER[1] + 1)
        same(server.session(session)["status"], "active", "the session")
        same(server.call("POST", f"/v1/sessions/{session['id']}/cancel")["status"], "canceled", "the session")
        same(gateway.call("GET", f"/v1/setup_intents/{intent_of(session)}")["status"], "canceled", "the intent")
    with report.check(PEER, "a declined card saves nothing"):
        session = server.start("local", "local-3", "EUR", "FR", **FLOW)
        declined = {"payment_method_data": card("4000000000000002")}
        same(gateway.confirm(session["next"]["secret"], **declined).status_code, 402, "the confirmation")
        # It ends the SetupIntent, which the real one keeps open for another attempt.
        ended = server.settled(session, "canceled", "sweep")
        same(ended["payment_methods"], [])
    with report.check(PEER, "what it refuses, the server tells as refused by the gateway"):
        flow = FLOW | {"channels": []}
        told = refused(AssertionError, server.start, "local", "local-4", "EUR", "FR", **flow)
        there("gateway_rejected" in str(told), f"gateway_rejected in {told}")
