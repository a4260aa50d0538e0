"""Checks Billfold and its sandboxes against software of others. `cargo xtask peers` runs it; see CONTRIBUTING.md."""

import argparse
import os
import sys
import tempfile

# What this machine's settings say about proxies is not for loopback.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import adyen_sdk  # noqa: E402
import gocardless_sdk  # noqa: E402
import localstripe_peer  # noqa: E402
import merchant_webhooks  # noqa: E402
import openapi  # noqa: E402
import stripe_sdk  # noqa: E402
import types_of_sdks  # noqa: E402
from report import Report  # noqa: E402
from world import Billfold, Sandbox, World  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--billfold", required=True, help="the program")
    parser.add_argument("--modules", required=True, help="the folder node_modules")
    parser.add_argument("--descriptions", required=True, help="the archive of the package with OpenAPI descriptions")
    parser.add_argument("--page", help="the page that the results are written into")
    args = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="billfold-peers-") as folder:
        world = World(os.path.abspath(args.billfold), folder)
        try:
            sandboxes = {kind: Sandbox(world, kind) for kind in ("stripe", "adyen", "gocardless")}
            gateways = [(kind, kind, sandbox.settings) for kind, sandbox in sandboxes.items()]
            # Nobody asks: what is settled here, a webhook has settled.
            server = Billfold(world, "webhooks-only", gateways, [3600])
            for peer in (stripe_sdk, adyen_sdk, gocardless_sdk):
                peer.signatures(report, world, sandboxes, server)
                peer.client(report, world, sandboxes)
            merchant_webhooks.run(report, world, sandboxes, server)
            localstripe_peer.run(report, world)
            types_of_sdks.run(report, sandboxes, server, os.path.abspath(args.modules))
            openapi.run(report, sandboxes, args.descriptions)
        finally:
            world.end()
    if args.page:
        report.write(args.page)
    broken = report.broken()
    print(f"\n{len(report.lines)} checks, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
