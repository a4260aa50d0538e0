"""Serves localstripe on loopback alone, with nothing kept on disk; the only argument is the port.

localstripe follows an older version of Stripe's API than Billfold asks for. The one parameter of the save flow that has
another name since then gets its older one on the way in; all else is localstripe as it is installed.
"""

import logging
import sys

from aiohttp import web
from localstripe import resources
from localstripe.server import app

resources.Store.dump_to_disk = lambda _: None
before = resources.SetupIntent.__init__


def renamed(self, allowed_payment_method_types=None, **others):
    if allowed_payment_method_types is not None:
        others["payment_method_types"] = allowed_payment_method_types
    before(self, **others)


resources.SetupIntent.__init__ = renamed
logging.basicConfig(level=logging.INFO)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
