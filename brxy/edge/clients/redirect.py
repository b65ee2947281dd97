"""
HTTP clients that are sent to https.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from brxy.broker.quota import Addresses
from brxy.edge.clients.http1 import HTTPClient
from brxy.edge.clients.httpfactory import HTTPFactory
from brxy.edge.config.limits import Limits
from brxy.edge.dispatch import Dispatch
from brxy.http.messages import RequestHead, plainResponse
from brxy.transport.connection import Shared
from brxy.values.networks import Networks
from brxy.values.routename import isAddress

__all__ = ["RedirectFactory", "location"]

# Certificate authorities ask there, by http, whether a name is ours (RFC 8555 §8.3).
_ACME = b"/.well-known/acme-challenge/"

_HTTPS = 443


def location(head: RequestHead, port: int) -> bytes | None:
    """
    Where a request is redirected to, if it is.  Not from an address: those who ask so
    are monitors and the like, no certificate would be good for it, and no browser
    would remember that.

    @param port: where https is.
    """
    if not head.host or isAddress(head.host) or head.target.startswith(_ACME):
        return None
    host = head.host.encode("ascii")
    target = head.target if head.target.startswith(b"/") else b"/"
    return b"https://%b%b%b" % (host, b"" if port == _HTTPS else b":%d" % port, target)


class RedirectingClient(HTTPClient):
    """
    One client's connection.
    """

    def __init__(self, factory: RedirectFactory, peer: IAddress | None) -> None:
        super().__init__(factory, peer)
        self._redirecting = factory

    def _begin(self, head: RequestHead) -> None:
        factory = self._redirecting
        where = location(head, factory.port)
        if where is None or factory.route(head.host) is None:
            super()._begin(head)
            return
        keep = head.keep_alive and head.length == 0 and not factory.brokerage.leaving
        self._looks = 0
        self.write(
            plainResponse(
                308,
                "this is served by https",
                keep_alive=keep,
                head_only=head.method == b"HEAD",
                added=b"Location: %b\r\n" % where,
            )
        )
        if not keep:
            # Its body, if it has one, is not worth waiting for.
            self.linger()


class RedirectFactory(HTTPFactory):
    """
    Makes the connections of clients that come by http where https is served.  A proxy
    that is trusted to tell of clients redirects by itself: theirs may have come by https.

    @ivar port: where it is.
    """

    def __init__(
        self,
        shared: Shared,
        brokerage: Dispatch,
        limits: Limits,
        addresses: Addresses,
        route: Callable[[str], str | None],
        trusted: Networks,
        port: int,
    ) -> None:
        super().__init__(shared, brokerage, limits, addresses, route, trusted)
        self.port = port

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        if self.trusts(addr):
            return super().buildProtocol(addr)
        return RedirectingClient(self, addr)
