"""The types that the official SDKs for JavaScript declare: what we send must be what they say, and what our sandboxes answer.

TypeScript's compiler reads them, by `conforms.cjs`: fields that a type does not know, values of another type or outside an
enumeration, and missing ones are told.
"""

import copy
import json
import os
import re
import subprocess
import urllib.parse

import requests

from adyen_sdk import result_of
from report import same, there
from world import until

STRIPE = "stripe/cjs/resources"
ADYEN = "@adyen/api-library/lib/src/typings"
GOCARDLESS = "gocardless-nodejs/types"

# What Billfold sends: method, path, file and type.
REQUESTS = {
    "stripe": [
        ("POST", r"/v1/customers", f"{STRIPE}/Customers.d.ts", "CustomerCreateParams"),
        ("POST", r"/v1/checkout/sessions", f"{STRIPE}/Checkout/Sessions.d.ts", "Checkout.SessionCreateParams"),
        ("GET", r"/v1/checkout/sessions/\w+", f"{STRIPE}/Checkout/Sessions.d.ts", "Checkout.SessionRetrieveParams"),
        ("POST", r"/v1/checkout/sessions/\w+/expire", f"{STRIPE}/Checkout/Sessions.d.ts", "Checkout.SessionExpireParams"),
        ("POST", r"/v1/setup_intents", f"{STRIPE}/SetupIntents.d.ts", "SetupIntentCreateParams"),
        ("GET", r"/v1/setup_intents/\w+", f"{STRIPE}/SetupIntents.d.ts", "SetupIntentRetrieveParams"),
        ("POST", r"/v1/setup_intents/\w+/cancel", f"{STRIPE}/SetupIntents.d.ts", "SetupIntentCancelParams"),
        ("POST", r"/v1/payment_methods/\w+/detach", f"{STRIPE}/PaymentMethods.d.ts", "PaymentMethodDetachParams"),
        ("POST", r"/v1/payment_intents", f"{STRIPE}/PaymentIntents.d.ts", "PaymentIntentCreateParams"),
        ("POST", r"/v1/payment_intents/\w+/capture", f"{STRIPE}/PaymentIntents.d.ts", "PaymentIntentCaptureParams"),
        ("POST", r"/v1/payment_intents/\w+/cancel", f"{STRIPE}/PaymentIntents.d.ts", "PaymentIntentCancelParams"),
        ("POST", r"/v1/refunds", f"{STRIPE}/Refunds.d.ts", "RefundCreateParams"),
    ],
    "adyen": [
        ("POST", r"/v72/sessions", f"{ADYEN}/checkout/createCheckoutSessionRequest.d.ts", "CreateCheckoutSessionRequest"),
        ("POST", r"/v72/payments/details", f"{ADYEN}/checkout/paymentDetailsRequest.d.ts", "PaymentDetailsRequest"),
        ("POST", r"/v72/payments", f"{ADYEN}/checkout/paymentRequest.d.ts", "PaymentRequest"),
        ("POST", r"/v72/payments/\w+/captures", f"{ADYEN}/checkout/paymentCaptureRequest.d.ts", "PaymentCaptureRequest"),
        ("POST", r"/v72/payments/\w+/cancels", f"{ADYEN}/checkout/paymentCancelRequest.d.ts", "PaymentCancelRequest"),
        ("POST", r"/v72/payments/\w+/refunds", f"{ADYEN}/checkout/paymentRefundRequest.d.ts", "PaymentRefundRequest"),
    ],
    "gocardless": [
        ("POST", r"/billing_requests", f"{GOCARDLESS}/services/billingRequestService.d.ts", "BillingRequestCreateRequest"),
        (
            "POST",
            r"/billing_request_flows",
            f"{GOCARDLESS}/services/billingRequestFlowService.d.ts",
            "BillingRequestFlowCreateRequest",
        ),
        (
            "POST",
            r"/billing_requests/\w+/actions/cancel",
            f"{GOCARDLESS}/services/billingRequestService.d.ts",
            "BillingRequestCancelRequest",
        ),
        ("POST", r"/mandates/\w+/actions/cancel", f"{GOCARDLESS}/services/mandateService.d.ts", "MandateCancelRequest"),
        ("POST", r"/payments", f"{GOCARDLESS}/services/paymentService.d.ts", "PaymentCreateRequest"),
        ("POST", r"/payments/\w+/actions/cancel", f"{GOCARDLESS}/services/paymentService.d.ts", "PaymentCancelRequest"),
        ("POST", r"/refunds", f"{GOCARDLESS}/services/refundService.d.ts", "RefundCreateRequest"),
    ],
}
PACKAGES = {"stripe": "stripe", "adyen": "@adyen/api-library", "gocardless": "gocardless-nodejs"}


# The objects that are in webhooks and answers.
OBJECTS = {
    "customer": (f"{STRIPE}/Customers.d.ts", "Customer"),
    "checkout.session": (f"{STRIPE}/Checkout/Sessions.d.ts", "Session"),
    "setup_intent": (f"{STRIPE}/SetupIntents.d.ts", "SetupIntent"),
    "payment_method": (f"{STRIPE}/PaymentMethods.d.ts", "PaymentMethod"),
    "payment_intent": (f"{STRIPE}/PaymentIntents.d.ts", "PaymentIntent"),
    "refund": (f"{STRIPE}/Refunds.d.ts", "Refund"),
    "charge": (f"{STRIPE}/Charges.d.ts", "Charge"),
}
TOKENS = f"{ADYEN}/tokenizationWebhooks/tokenization{{}}DetailsNotificationRequest.d.ts"
OTHERS = [
    f"{STRIPE}/Events.d.ts",
    f"{ADYEN}/checkout/createCheckoutSessionResponse.d.ts",
    f"{ADYEN}/checkout/listStoredPaymentMethodsResponse.d.ts",
    f"{ADYEN}/checkout/sessionResultResponse.d.ts",
    f"{ADYEN}/notification/notificationRequestItem.d.ts",
    *(TOKENS.format(kind) for kind in ("Created", "AlreadyExisting", "Updated", "Disabled")),
    f"{GOCARDLESS}/types/Types.d.ts",
]


class Types:
    """The compiler, as a process that is asked line by line."""

    def __init__(self, modules):
        self.modules = modules
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "conforms.cjs")
        files = {file for kinds in REQUESTS.values() for _, _, file, _ in kinds} | {file for file, _ in OBJECTS.values()}
        command = ["node", script, modules, *sorted(files | set(OTHERS))]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self):
        self.child.stdin.close()
        self.child.wait(30)

    def peer(self, kind):
        with open(os.path.join(self.modules, PACKAGES[kind], "package.json"), encoding="utf-8") as text:
            return f"{PACKAGES[kind]} {json.load(text)['version']} (npm)"

    def problems(self, cases):
        """What is wrong with each of (file, type, value, whether it is a form)."""
        asked = [dict(zip(("file", "type", "value", "form"), case)) for case in cases]
        self.child.stdin.write(json.dumps(asked) + "\n")
        self.child.stdin.flush()
        return json.loads(there(self.child.stdout.readline(), "the compiler's answer"))

    def conform(self, cases):
        found = self.problems(cases)
        told = {f"{case[1]}: {problem}" for case, problems in zip(cases, found) for problem in problems}
        if told:
            raise AssertionError("; ".join(sorted(told)))

    def refuse(self, cases):
        """Each of these is wrong."""
        there(cases, "something spoilt")
        same([case for case, problems in zip(cases, self.problems(cases)) if not problems], [], "what was taken all the same")


def run(report, sandboxes, server, modules):
    types = Types(modules)
    try:
        with report.check("billfold", "opens, cancels, saves, charges and deletes at the sandboxes"):
            converse(sandboxes, server)
        for kind, answers in (("stripe", of_stripe), ("adyen", of_adyen), ("gocardless", of_gocardless)):
            of_one_sdk(report, types, kind, sandboxes[kind], answers)
    finally:
        types.end()


def of_one_sdk(report, types, kind, sandbox, answers):
    peer, sent, answered = types.peer(kind), [], []
    with report.check(peer, "all that we send, and every value, is in the types that it declares"):
        sent = list(requests_of(kind, sandbox))
        missing = {name for _, _, _, name in REQUESTS[kind]} - {case[1] for case in sent}
        same(missing, set(), "what was never sent")
        types.conform(sent)
    with report.check(peer, "... which refuse our requests with another field, another value, a field less"):
        types.refuse([spoilt for case in sent for spoilt in spoil(case)])
    with report.check(peer, "what the sandbox answers and sends is in the types that it declares"):
        answered = answers(sandbox)
        types.conform(answered)
    with report.check(peer, "... which refuse its answers with another field"):
        types.refuse([(file, name, value | {"unheardOf": 1}, form) for file, name, value, form in answered])
    if kind == "stripe":
        with report.check(peer, "every event that we listen to is one that it declares, and a misspelt one is not"):
            event = next(value for file, name, value, _ in answered if name == "EventBase")
            cases = [(f"{STRIPE}/Events.d.ts", "EventBase", event | {"type": name}, False) for name in listened_to()]
            types.conform(cases)
            types.refuse([(*case[:2], case[2] | {"type": case[2]["type"] + "s"}, False) for case in cases])


def listened_to():
    """The events in the table of Stripe's page."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../../docs/providers/stripe.md"), encoding="utf-8") as text:
        table = [line for line in text.read().split("## Webhooks")[1].split("##")[0].splitlines() if line.startswith("| `")]
    return there(re.findall(r"`(\w+(?:\.\w+)+)`", " ".join(table)), "the table of events")


def converse(sandboxes, server):
    """Sessions of every kind that we open, so that everything we send was sent."""
    for number, usage in enumerate(("on_session", "unscheduled_customer", "unscheduled_merchant", "recurring")):
        intents = {"provider_options": {"flow": "setup_intent"}, "usage": usage}
        server.start("stripe", f"types-{number}", "EUR", "DE", usage=usage)
        server.start("stripe", f"types-{number}", "EUR", "DE", channels=["card", "sepa_debit"])
        server.start("stripe", f"types-{number}", "EUR", "DE", **intents)
        server.start("adyen", f"types-{number}", "EUR", "NL", usage=usage, locale="nl", channels=["scheme"])
        server.start("adyen", f"types-{number}", "EUR", "NL", usage=usage, provider_options={"flow": "embedded"})
    for country, currency, channel in (
        ("US", "USD", "us_bank_account"),
        ("GB", "GBP", "bacs_debit"),
        ("AU", "AUD", "au_becs_debit"),
        ("DE", "EUR", "sepa_debit"),
        ("DE", "EUR", "card"),
    ):
        for flow in ("checkout", "setup_intent"):
            options = {"flow": flow}
            session = server.start("stripe", "types-0", currency, country, channels=[channel], provider_options=options)
            server.call("POST", f"/v1/sessions/{session['id']}/cancel")
    for number, verify in enumerate(("minimum", "recommended", "when_available", "always")):
        more = {"provider_options": {"verify": verify}, "description": "Membership", "locale": "en"}
        session = server.start("gocardless", f"types-{number}", "GBP", "GB", channels=["bacs"], **more)
        server.call("POST", f"/v1/sessions/{session['id']}/cancel")
    for country, currency, scheme in (
        ("DE", "EUR", "sepa_core"),
        ("US", "USD", "ach"),
        ("AU", "AUD", "becs"),
        ("NZ", "NZD", "becs_nz"),
        ("CA", "CAD", "pad"),
        ("SE", "SEK", "autogiro"),
        ("DK", "DKK", "betalingsservice"),
    ):
        server.start("gocardless", "types-5", currency, country, channels=[scheme])
    redirect(sandboxes["adyen"], server)
    for kind, currency, country, more in (
        ("stripe", "EUR", "DE", {}),
        ("stripe", "EUR", "DE", {"provider_options": {"flow": "setup_intent"}, "channels": ["card"]}),
        ("adyen", "EUR", "NL", {}),
        ("gocardless", "GBP", "GB", {}),
    ):
        sandbox = sandboxes[kind]
        sandbox.send_webhooks_to(f"{server.url}/webhooks/{kind}")
        session = server.start(kind, "types-6", currency, country, **more)
        sandbox.complete(sandbox.session_of(session["id"]))
        server.settled(session, "completed", "webhook")
        # The customer is known there by now.
        server.start(kind, "types-6", currency, country)
        (method,) = server.methods(session)
        charge(server, sandbox, kind, method, currency)
        token = sandbox.control("GET", "tokens")[-1]["id"]
        for status in STATUSES[kind]:
            sandbox.control("POST", f"tokens/{token}/status", status=status)
        before = len(deletions(sandbox))
        server.call("DELETE", f"/v1/payment-methods/{method['id']}")
        until("it is deleted there", lambda: len(deletions(sandbox)) > before)


def charge(server, sandbox, kind, method, currency):
    """Charges of every kind that the gateway knows."""
    more = {"amount": 1500, "currency": currency, "reason": "recurring", "description": "Order 7"}
    if kind != "gocardless":
        more["metadata"] = {"order": "7"}

    def make(**others):
        return server.call("POST", f"/v1/payment-methods/{method['id']}/charges", more | others)["id"]

    def reaches(id, status):
        until(f"the charge is {status}", lambda: server.call("GET", f"/v1/charges/{id}")["status"] == status)

    for initiator in ("customer", "merchant") if kind != "gocardless" else ("merchant",):
        made = make(initiator=initiator)
        if kind == "gocardless":
            sandbox.control("POST", f"charges/{made}/finish", well=True)
        reaches(made, "succeeded")
        for reason in ("requested_by_customer", "duplicate", "fraudulent", "cancellation", "other"):
            server.call("POST", f"/v1/charges/{made}/refunds", {"amount": 100, "reason": reason})
        if kind == "gocardless":
            server.call("POST", f"/v1/charges/{make(initiator=initiator)}/cancel")
            continue
        held = make(initiator=initiator, capture="manual")
        server.call("POST", f"/v1/charges/{held}/capture", {"amount": 1000})
        server.call("POST", f"/v1/charges/{make(initiator=initiator, capture='manual')}/cancel")


# What happens to tokens at their gateways.
STATUSES = {
    "stripe": ["updated"],
    "adyen": ["updated"],
    "gocardless": ["submitted", "active", "transferred", "replaced"],
}


def deletions(sandbox):
    told = sandbox.control("GET", "requests")
    ends = r"/v1/payment_methods/\w+/detach|/mandates/\w+/actions/cancel|/v72/storedPaymentMethods/\w+"
    return [one for one in told if re.fullmatch(ends, one["path"]) and one["method"] != "GET"]


def redirect(sandbox, server):
    """An embedded session whose customer comes back from their bank: its result is submitted."""
    session = server.start("adyen", "types-7", "EUR", "NL", provider_options={"flow": "embedded"})
    (page,) = [one["page"] for one in sandbox.control("GET", "sessions") if one["reference"] == session["id"]]
    card = {"channel": "scheme", "card-number": "5201 2815 0512 9736"}
    asks = requests.post(f"{sandbox.url}{page}/submit", data=card, allow_redirects=False, timeout=30)
    link = f"{sandbox.url}{asks.headers['location']}"
    back = requests.post(link, data={"decision": "approve"}, allow_redirects=False, timeout=30)
    requests.get(back.headers["location"], allow_redirects=False, timeout=30)
    server.settled(session, "completed", "return")


def requests_of(kind, sandbox):
    for one in sandbox.requests()[0]:
        if one["status"] >= 400:
            continue
        for method, path, file, name in REQUESTS[kind]:
            if one["method"] == method and re.fullmatch(path, one["path"]):
                yield file, name, fields(kind, one), kind == "stripe"


def fields(kind, one):
    if kind == "stripe":
        flat = one["body"] or dict(urllib.parse.parse_qsl(re.sub(r"%5B%5D|\[\]", "[0]", one["query"])))
        return nested(flat)
    (value,) = one["body"].values() if kind == "gocardless" else (one["body"],)
    return value


def nested(flat):
    """`a[b][0]` is the first of the list `b` in `a`."""
    tree = {}
    for name, value in flat.items():
        *above, last = re.findall(r"[^\[\]]+", name)
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return listed(tree)


def listed(tree):
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdigit() for key in tree):
        return [listed(tree[key]) for key in sorted(tree, key=int)]
    return {key: listed(value) for key, value in tree.items()}


# Fields with a fixed list of values, and those without which nothing is taken.
ENUMERATED = ("mode", "usage", "capture_method", "reason", "storePaymentMethodMode", "recurringProcessingModel", "shopperInteraction")
OPTIONAL = {("RefundCreateParams", "amount")} | {
    (f"Payment{what}Request", "reference") for what in ("Capture", "Cancel", "Refund")
}
REQUIRED = ("merchantAccount", "amount", "reference", "returnUrl", "details")


def spoil(case):
    file, name, value, form = case
    yield file, name, value | {"unheardOf": "1"}, form
    for key in ENUMERATED:
        if key in value:
            yield file, name, value | {key: "unheard_of"}, form
    for key in REQUIRED:
        if key in value and (name, key) not in OPTIONAL:
            yield file, name, {other: inner for other, inner in value.items() if other != key}, form
    if "allowed_payment_method_types" in value and "Intent" in name:
        yield file, name, value | {"allowed_payment_method_types": ["unheard_of"]}, form
    if "mandate_request" in value:
        other = copy.deepcopy(value)
        other["mandate_request"]["verify"] = "unheard_of"
        yield file, name, other, form


def get(sandbox, path, headers):
    answer = requests.get(f"{sandbox.url}{path}", headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()


def of_stripe(sandbox):
    headers = {"Authorization": f"Bearer {sandbox.secret_key}", "Stripe-Version": "2026-10-28.endive"}
    made = requests.post(f"{sandbox.url}/v1/customers", data={"name": "a"}, headers=headers, timeout=30)
    found = [made.json()]
    for shown in sandbox.control("GET", "sessions"):
        if shown["object"] == "checkout.session":
            expand = "expand[]=setup_intent.payment_method"
            found.append(get(sandbox, f"/v1/checkout/sessions/{shown['id']}?{expand}", headers))
            found.append(get(sandbox, f"/v1/checkout/sessions/{shown['id']}", headers))
        else:
            found.append(get(sandbox, f"/v1/setup_intents/{shown['id']}?expand[]=payment_method", headers))
    for method in sandbox.control("GET", "tokens"):
        found.append(get(sandbox, f"/v1/payment_methods/{method['id']}", headers))
    cases = []
    for delivery in sandbox.control("GET", "deliveries"):
        event = delivery["data"]
        if event["data"]["object"]["id"] == "cs_test_nobody":
            continue
        found.append(event["data"]["object"])
        cases.append((f"{STRIPE}/Events.d.ts", "EventBase", event | {"data": {"object": {}}}, False))
    return cases + [(*OBJECTS[one["object"]], one, False) for one in found]


def of_adyen(sandbox):
    headers = {"x-api-key": sandbox.secret_key}
    account = sandbox.settings["merchant_account"]
    cases = []
    for mode in ("hosted", "embedded"):
        reference = f"answer-{mode}"
        wanted = {
            "merchantAccount": account,
            "amount": {"value": 0, "currency": "EUR"},
            "reference": reference,
            "shopperReference": reference,
            "returnUrl": "https://shop.example/back",
            "mode": mode,
            "storePaymentMethodMode": "enabled",
            "recurringProcessingModel": "CardOnFile",
            "shopperInteraction": "Ecommerce",
        }
        made = requests.post(f"{sandbox.url}/v72/sessions", json=wanted, headers=headers, timeout=30).json()
        name = "CreateCheckoutSessionResponse"
        cases.append((f"{ADYEN}/checkout/createCheckoutSessionResponse.d.ts", name, made, False))
        if mode == "hosted":
            result = urllib.parse.urlencode({"sessionResult": result_of(made["url"])})
            told = get(sandbox, f"/v72/sessions/{made['id']}?{result}", headers)
            cases.append((f"{ADYEN}/checkout/sessionResultResponse.d.ts", "SessionResultResponse", told, False))
        else:
            sandbox.complete(reference)
        query = f"?merchantAccount={account}&shopperReference={reference}"
        listed = get(sandbox, f"/v72/storedPaymentMethods{query}", headers)
        same(len(listed["storedPaymentMethods"]), 1, "the number of stored methods")
        # The same card again is told of as such.
        requests.post(f"{sandbox.url}/v72/sessions", json=wanted | {"reference": f"{reference}-2"}, headers=headers, timeout=30)
        sandbox.complete(f"{reference}-2")
        name = "ListStoredPaymentMethodsResponse"
        cases.append((f"{ADYEN}/checkout/listStoredPaymentMethodsResponse.d.ts", name, listed, False))
    for delivery in sandbox.control("GET", "deliveries"):
        body = delivery["data"]
        if "notificationItems" in body:
            item = body["notificationItems"][0]["NotificationRequestItem"]
            cases.append((f"{ADYEN}/notification/notificationRequestItem.d.ts", "NotificationRequestItem", item, False))
            continue
        kind = body["type"].removeprefix("recurring.token.")
        kind = kind[0].upper() + kind[1:]
        cases.append((TOKENS.format(kind), f"Tokenization{kind}DetailsNotificationRequest", body, False))
    return cases


def of_gocardless(sandbox):
    headers = {"Authorization": f"Bearer {sandbox.secret_key}", "GoCardless-Version": "2015-07-06"}
    types, cases = f"{GOCARDLESS}/types/Types.d.ts", []

    def add(path, name):
        ((_, found),) = get(sandbox, path, headers).items()
        cases.append((types, name, found, False))
        return found

    for shown in sandbox.control("GET", "sessions"):
        add(f"/billing_requests/{shown['id']}", "BillingRequest")
        if shown["flow"]:
            cases.append((types, "BillingRequestFlow", shown["flow"], False))
    for shown in sandbox.control("GET", "tokens"):
        mandate = add(f"/mandates/{shown['id']}", "Mandate")
        add(f"/customers/{mandate['links']['customer']}", "Customer")
        add(f"/customer_bank_accounts/{mandate['links']['customer_bank_account']}", "CustomerBankAccount")
    for delivery in sandbox.control("GET", "deliveries"):
        cases.extend((types, "Event", event, False) for event in delivery["data"]["events"])
    return cases
