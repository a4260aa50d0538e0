"""Adyen's own SDK: as the judge of our sandbox's webhooks, as the writer of webhooks for us, as a client of our sandbox."""

import copy
import json
import urllib.parse

import Adyen
import requests
from Adyen.settings import LIB_VERSION
from Adyen.util import (
    generate_notification_sig,
    generate_payload_sig,
    is_valid_hmac_notification,
    is_valid_hmac_payload,
)

from report import refused, same, there
from world import changed

PEER = f"Adyen {LIB_VERSION} (PyPI)"
OTHER_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"


def item_of(notification):
    return notification["notificationItems"][0]["NotificationRequestItem"]


def signatures(report, world, sandboxes, server):
    sandbox = sandboxes["adyen"]
    token_key = sandbox.settings["token_webhook_hmac_key"]
    standard_key = sandbox.settings["standard_webhook_hmac_key"]
    sandbox.send_webhooks_to(world.receiver.url)
    session = server.start("adyen", "adyen-1", "EUR", "NL")
    sandbox.complete(session["id"])
    taken = world.receiver.take(2)
    standard = next((one for one in taken if b"notificationItems" in one[1]), None)
    token = next((one for one in taken if b"notificationItems" not in one[1]), None)
    with report.check(PEER, "is_valid_hmac_notification accepts the sandbox's standard webhook"):
        same(is_valid_hmac_notification(json.loads(standard[1]), standard_key), True)
    with report.check(PEER, "... and refuses it with any of the signed fields changed, and by another key"):
        same(is_valid_hmac_notification(json.loads(standard[1]), token_key), False, "by another key")
        for field in ("pspReference", "merchantAccountCode", "merchantReference", "eventCode", "success"):
            other = json.loads(standard[1])
            item_of(other)[field] = "changed"
            same(is_valid_hmac_notification(other, standard_key), False, f"with another {field}")
        for field, value in (("value", 1), ("currency", "USD")):
            other = json.loads(standard[1])
            item_of(other)["amount"][field] = value
            same(is_valid_hmac_notification(other, standard_key), False, f"with another {field}")
    with report.check(PEER, "is_valid_hmac_payload accepts the sandbox's token webhook"):
        same(is_valid_hmac_payload(token[0]["hmacsignature"], token_key, token[1]), True)
        same(token[0]["protocol"], "HmacSHA256", "the protocol")
    with report.check(PEER, "... and refuses it with a changed body and by another key"):
        same(is_valid_hmac_payload(token[0]["hmacsignature"], token_key, changed(token[1])), False, "changed")
        same(is_valid_hmac_payload(token[0]["hmacsignature"], standard_key, token[1]), False, "by another key")
    with report.check(PEER, "what it accepts, the server acknowledges and settles by; what it refuses, the server refuses"):
        same(server.deliver("adyen", token[0], changed(token[1])).status_code, 401, "the changed token webhook")
        other = json.loads(standard[1])
        item_of(other)["merchantReference"] = "ses_changed"
        same(server.deliver("adyen", standard[0], json.dumps(other)).status_code, 401, "the changed standard one")
        same(server.session(session)["status"], "active", "the session")
        same(server.deliver("adyen", token[0], token[1]).status_code, 200, "the token webhook")
        answer = server.deliver("adyen", standard[0], standard[1])
        same((answer.status_code, answer.text), (200, "[accepted]"), "the answer to the standard one")
        server.settled(session, "completed", "webhook")

    sandbox.send_webhooks_to(None)
    session = server.start("adyen", "adyen-2", "EUR", "NL")
    sandbox.complete(session["id"])
    event = json.loads(token[1])
    event["eventId"] = "SIGNEDBYTHESDK01"
    event["data"]["shopperReference"] = session["id"]
    body = json.dumps(event).encode()

    def deliver_token(body, signature):
        headers = {"HmacSignature": signature, "protocol": "HmacSHA256"}
        return server.deliver("adyen", headers, body).status_code

    with report.check(PEER, "the server refuses a token webhook that it signed: changed, or by another key"):
        signature = generate_payload_sig(body, token_key).decode()
        same(deliver_token(body + b" ", signature), 401, "changed")
        same(deliver_token(body, generate_payload_sig(body, OTHER_KEY).decode()), 401, "another key")
        same(deliver_token(body, generate_payload_sig(body, standard_key).decode()), 401, "the other webhook's key")
        same(server.session(session)["status"], "active", "the session")
    with report.check(PEER, "the server acknowledges one that it signed, and settles by it"):
        same(deliver_token(body, generate_payload_sig(body, token_key).decode()), 200, "the answer")
        server.settled(session, "completed", "webhook")

    session = server.start("adyen", "adyen-3", "EUR", "NL")
    sandbox.complete(session["id"])
    unsigned = json.loads(standard[1])
    item_of(unsigned)["merchantReference"] = session["id"]
    item_of(unsigned)["pspReference"] = "SIGNEDBYTHESDK02"

    def signed(key):
        other = copy.deepcopy(unsigned)
        item = item_of(other)
        item["additionalData"]["hmacSignature"] = generate_notification_sig(item, key).decode()
        return other

    def deliver(notification):
        return server.deliver("adyen", {}, json.dumps(notification))

    with report.check(PEER, "the server refuses a standard webhook that it signed: changed, by another key, one forged item"):
        other = signed(standard_key)
        item_of(other)["amount"]["currency"] = "USD"
        same(deliver(other).status_code, 401, "changed")
        same(deliver(signed(OTHER_KEY)).status_code, 401, "another key")
        # Its own verifier looks at the first item alone.
        two = signed(standard_key)
        two["notificationItems"].append(signed(OTHER_KEY)["notificationItems"][0])
        same(is_valid_hmac_notification(two, standard_key), True, "the first of two items")
        same(deliver(two).status_code, 401, "with a forged second item")
        same(server.session(session)["status"], "active", "the session")
    with report.check(PEER, "the server answers one that it signed with [accepted], and settles by it"):
        same(deliver(signed(standard_key)).text, "[accepted]", "the answer")
        server.settled(session, "completed", "webhook")


def client(report, world, sandboxes):
    sandbox = sandboxes["adyen"]
    sandbox.send_webhooks_to(None)
    account = sandbox.settings["merchant_account"]

    def services(key):
        adyen = Adyen.Adyen(xapikey=key, platform="test")
        payments, recurring = adyen.checkout.payments_api, adyen.checkout.recurring_api
        for service in (payments, recurring):
            service.baseUrl = service.baseUrl.replace("https://checkout-test.adyen.com", sandbox.url)
        return payments, recurring

    payments, recurring = services(sandbox.secret_key)
    wanted = {
        "merchantAccount": account,
        "amount": {"value": 0, "currency": "EUR"},
        "reference": "order-1",
        "shopperReference": "shopper-1",
        "returnUrl": "https://shop.example/back",
        "mode": "hosted",
        "storePaymentMethodMode": "enabled",
        "recurringProcessingModel": "CardOnFile",
        "shopperInteraction": "Ecommerce",
    }
    of_shopper = {"merchantAccount": account, "shopperReference": "shopper-1"}
    session = None

    def stored():
        return recurring.get_tokens_for_stored_payment_details(query_parameters=of_shopper).message

    with report.check(PEER, "as a client of the sandbox: makes a hosted and an embedded session"):
        session = payments.sessions(wanted, idempotency_key="key-1").message
        there(session["url"], "the link")
        embedded = wanted | {"mode": "embedded", "reference": "order-2", "shopperReference": "shopper-2"}
        there(payments.sessions(embedded).message["sessionData"], "the session data")
        same(payments.sessions(wanted, idempotency_key="key-1").message["id"], session["id"], "the repeated session")
    with report.check(PEER, "... lists what the shopper stored: nothing before, a card after"):
        same(stored()["storedPaymentMethods"], [], "the list before")
        sandbox.complete(session["id"])
        (method,) = stored()["storedPaymentMethods"]
        same((method["lastFour"], method["shopperReference"]), ("1111", "shopper-1"))
    with report.check(PEER, "... asks for the session's result with what the page gave the browser"):
        other = payments.sessions(wanted | {"reference": "order-3", "shopperReference": "shopper-3"}).message
        result = result_of(other["url"])
        found = payments.get_result_of_payment_session(other["id"], query_parameters={"sessionResult": result})
        same((found.message["status"], found.message["id"]), ("completed", other["id"]))
    with report.check(PEER, "... deletes the stored method, finds the list empty, and is told when it is not there"):
        id = stored()["storedPaymentMethods"][0]["id"]
        deleted = recurring.delete_token_for_stored_payment_details(id, query_parameters=of_shopper)
        same(deleted.status_code, 204, "the status")
        same(stored()["storedPaymentMethods"], [], "the list")
        again = recurring.delete_token_for_stored_payment_details
        refused(Adyen.AdyenAPIUnprocessableEntity, again, id, query_parameters=of_shopper)
    with report.check(PEER, "... reads its errors: a wrong key, another account, a missing field, a key used for other"):
        wrong, _ = services("AQEwrong")
        refused(Adyen.AdyenAPIAuthenticationError, wrong.sessions, wanted)
        refused(Adyen.AdyenAPIInvalidPermission, payments.sessions, wanted | {"merchantAccount": "Other"})
        short = {key: value for key, value in wanted.items() if key != "returnUrl"}
        refused(Adyen.AdyenAPIUnprocessableEntity, payments.sessions, short)
        refused(Adyen.AdyenAPIUnprocessableEntity, payments.sessions, embedded, idempotency_key="key-1")
    with report.check(PEER, "asks for the same version of the API as we do"):
        sandbox.same_version(lambda one: one["path"].split("/")[1])

def result_of(link):
    """Plays the customer on the hosted page, and gives the result with which the browser came back."""
    card = {"channel": "scheme", "card-number": "4111 1111 1111 1111"}
    answer = requests.post(f"{link}/submit", data=card, allow_redirects=False, timeout=30)
    query = urllib.parse.urlparse(answer.headers["location"]).query
    return urllib.parse.parse_qs(query)["sessionResult"][0]
