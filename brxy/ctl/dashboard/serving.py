"""
Runs C{brxy dashboard}.
"""

from __future__ import annotations

from argparse import Namespace
from secrets import token_urlsafe

from brxy.ctl.asking.client import findEdge
from brxy.ctl.dashboard.relay import ADDRESS, Relay
from brxy.ctl.exitstatus import DONE, USAGE, Failure

__all__ = ["dashboard"]


def dashboard(given: Namespace) -> int:
    """
    Print the URL of the dashboard, and serve it until a signal ends the command.
    """
    # An edge that does not answer is reported now, not in the browser.
    edge = findEdge(given)
    edge.get("/v1/status")
    edge.close()
    port = _port(given.port)
    try:
        relay = Relay(port, lambda: findEdge(given), token_urlsafe(24))
    except OSError as error:
        raise Failure(f"cannot listen on {ADDRESS}:{port}: {error.strerror}") from None
    print(relay.url, flush=True)
    with relay:
        relay.serve_forever()
    return DONE


def _port(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise Failure(f"bad --port {text!r}: a number up to 65535 is needed", USAGE)
    return int(text)
