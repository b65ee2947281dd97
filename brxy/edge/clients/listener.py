"""
What the HTTP clients of one listener share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from os import urandom
from typing import Any, Protocol

from brxy.broker.quota import Addresses
from brxy.edge.clients.answering import Answers, HealthCheck, Interceptor
from brxy.edge.clients.connection import ClientConnection, ClientFactory
from brxy.edge.config.limits import Limits
from brxy.edge.exchanges.ends import Dispatcher
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.records.receipt import idLine
from brxy.edge.records.record import Record
from brxy.edge.routing.errorpages import NO_PAGES, acceptsHTML
from brxy.edge.routing.handling import Handling
from brxy.edge.routing.router import RequestRouter
from brxy.errors import BadRequest
from brxy.http.messages import RequestHead
from brxy.reactor.deadlines import Deadlines
from brxy.transport.buffering import WriteBuffer
from brxy.transport.connection import Shared
from brxy.values.networks import NOBODY, Networks

__all__ = ["HTTPListener", "anyRoute"]


class Asking(Protocol):
    """
    A client of which a request was read.

    @ivar client: see L{brxy.edge.exchanges.ends.Client}.
    @ivar scheme: see L{brxy.edge.exchanges.ends.HTTPClientEnd}.
    """

    client: str
    scheme: bytes


def anyRoute(host: str) -> str:
    """
    A route for every host, when another edge finds the right one.
    """
    return host or "none"


class HTTPListener(ClientFactory[ClientConnection[HTTPCarrier]]):
    """
    One kind of HTTP clients: those of all ports that are served in the same way.

    @ivar route: finds the route of a host; returns L{None} if there is no app, or if more than
        the host counts: then see L{find}.
    @ivar trusted: the proxies that are trusted to describe their clients.
    @ivar scheme: C{b"https"} if clients connect over TLS, else C{b"http"}.
    @ivar answers: writes the answers.
    @ivar serves_half_closed: see L{brxy.edge.exchanges.ends.HTTPClientEnd}.
    @ivar interceptors: what may answer requests instead of an app, in order.
    @ivar health: answers health checks, also those for hosts that have no app; L{None} if
        the apps answer them.
    @ivar buffer: the memory for what the clients have not taken yet of their responses;
        L{None} if the transport's own limits hold.
    @ivar heads: clients that have begun to send the head of a request.
    @ivar request_ids: ids for requests that have none.
    @ivar pages: the pages for errors.
    @ivar max_body: see L{Limits}.
    @ivar max_requests: see L{Limits}.
    """

    def __init__(
        self,
        shared: Shared,
        dispatcher: Dispatcher,
        limits: Limits,
        addresses: Addresses,
        route: Callable[[str], str | None],
        trusted: Networks = NOBODY,
        *,
        secured: bool = False,
        hsts: int | None = None,
        serves_half_closed: bool = False,
        interceptors: Sequence[Interceptor] = (),
        health: HealthCheck | None = None,
        buffer: WriteBuffer | None = None,
    ) -> None:
        """
        @param secured: clients connect over TLS.
        @param hsts: see L{Answers}.
        """
        super().__init__(shared, dispatcher, limits, addresses)
        self.route = route
        self._router: RequestRouter | None = None
        self.trusted = trusted
        self.scheme = b"https" if secured else b"http"
        self.kind = "https" if secured else "http"
        self.answers = Answers(hsts)
        self.serves_half_closed = serves_half_closed
        self.health = health
        self.interceptors = tuple(interceptors)
        self.buffer = buffer
        self.pages = NO_PAGES
        self.max_body = limits.max_body
        self.max_requests = limits.max_requests
        self.heads: Deadlines[Any] = Deadlines(
            shared.reactor, limits.head_timeout, lambda client: client.tooSlow()
        )
        prefix = urandom(6).hex().encode("ascii")
        self.request_ids = (b"%s-%x" % (prefix, number) for number in count(1))

    def adopt(self, router: RequestRouter) -> None:
        """
        Find the routes of requests by a router from now on.
        """
        self._router, self.route = router, router.route

    def find(self, head: RequestHead) -> tuple[str, Handling | None] | None:
        """
        See L{RequestRouter.find}.
        """
        return None if self._router is None else self._router.find(head)

    def refuse(
        self, refusal: Refusal, head: RequestHead | None, keep: bool, added: bytes
    ) -> bytes:
        """
        See L{Answers.refuse}.

        @return: a refusal, as it is written: with a page if there is one that the client
            accepts.
        """
        page = None
        if head is not None and acceptsHTML(head.fields):
            page = self._page(head, refusal.status)
        return self.answers.refuse(refusal, head, keep, added, page)

    def _page(self, head: RequestHead, status: int) -> bytes | None:
        try:
            _, handling = self.find(head) or ("", None)
        except BadRequest:
            handling = None
        own = None if handling is None else handling.settings.error_pages
        return own and own.get(status) or self.pages.get(status)

    def record(self, client: Asking, head: RequestHead | None, status: int, error: str) -> bytes:
        """
        A request is answered without an exchange.

        @param head: L{None} if none was read.
        @param error: see L{Record}.
        @return: field lines for the answer.
        """
        records = self.dispatcher.records
        if not records.active:
            return b""
        now = records.seconds()
        number = head and head.request_id or next(self.request_ids)
        route = None if head is None else self._routeOf(head)
        scheme = client.scheme.decode("ascii")
        record = Record(route or "", head, client.client, scheme, now, number, status, ended=now)
        record.error = error
        records.ended(record)
        return idLine(number) if records.shows_ids else b""

    def _routeOf(self, head: RequestHead) -> str | None:
        try:
            found = self.find(head)
        except BadRequest:
            return None
        return found[0] if found else self.route(head.host)

    def handOn(self, take: Callable[[ClientConnection[Any]], object]) -> None:
        """
        See L{ClientFactory}.
        """
        self.route = anyRoute
        self.interceptors = ()
        super().handOn(take)

    def abort(self) -> None:
        """
        See L{ClientFactory}.
        """
        super().abort()
        self.heads.stopAll()
