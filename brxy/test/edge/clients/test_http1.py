"""
Tests of L{brxy.edge.clients.http1} without an edge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.quota import Addresses
from brxy.edge.clients.answering import HealthCheck, Interceptor, Reply
from brxy.edge.clients.httpfactory import HTTPFactory
from brxy.edge.config.limits import Limits
from brxy.edge.events import Events
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import Exchange
from brxy.edge.records.records import Records
from brxy.http.messages import RequestHead
from brxy.test.support.loopback.crowds import MemoryClient, get
from brxy.test.support.memory.network import TCP_ADDRESS, FakeReactor, connect, settle


class _Dispatcher:
    """
    A dispatcher without any app.
    """

    retries = 0
    leaving = handed_over = False
    responses = None
    events = Events()
    buffer = RequestBuffer(65536, 65536)
    records = Records(Clock(), lambda route: True)

    def wait(self, exchange: Exchange) -> None:
        exchange.carrier.reject(Refusal(503, "no app", 7))

    def requeue(self, exchange: Exchange) -> None:
        raise NotImplementedError

    def cancel(self, exchange: Exchange) -> None:
        raise NotImplementedError

    def taken(self, exchange: Exchange) -> None:
        raise NotImplementedError

    def lost(self, exchange: Exchange, reason: str) -> None:
        raise NotImplementedError

    def answered(self, instance: object) -> None:
        raise NotImplementedError

    def drain(self) -> None:
        pass


class InterceptorTests(SynchronousTestCase):
    """
    Tests of what answers instead of an app.
    """

    def ask(
        self,
        interceptors: Sequence[Interceptor],
        *requests: bytes,
        health: HealthCheck | None = None,
    ) -> MemoryClient:
        """
        @return: a client that has sent requests on one connection.
        """
        reactor = FakeReactor()
        self.dispatcher = _Dispatcher()
        factory = HTTPFactory(
            reactor.shared,
            self.dispatcher,
            Limits(),
            Addresses(0),
            {"a": "a"}.get,
            interceptors=interceptors,
            health=health,
        )
        client = MemoryClient()
        ends = connect(reactor, factory.buildProtocol(TCP_ADDRESS), client, TCP_ADDRESS)
        ends[1].write(b"".join(requests))
        settle(reactor, lambda: ends)
        return client

    def test_order(self) -> None:
        """
        The first interceptor that replies answers, and later ones do not see the request;
        without a reply the request goes on.
        """
        seen: list[tuple[str, bytes, bytes]] = []

        def interceptor(name: str) -> Interceptor:
            def replies(head: RequestHead, scheme: bytes) -> Reply | None:
                seen.append((name, head.target, scheme))
                if head.target != b"/" + name.encode():
                    return None
                return Reply(200, f"by {name}", b"X-By: %b\r\n" % name.encode())

            return replies

        client = self.ask(
            [interceptor("one"), interceptor("two")],
            *(get(target, "a") for target in ("/one", "/two", "/three")),
        )
        self.assertEqual(
            seen,
            [
                ("one", b"/one", b"http"),
                ("one", b"/two", b"http"),
                ("two", b"/two", b"http"),
                ("one", b"/three", b"http"),
                ("two", b"/three", b"http"),
            ],
        )
        one, two, three = bytes(client.received).split(b"HTTP/1.1 ")[1:]
        self.assertIn(b"\r\nX-By: one\r\n", one)
        self.assertTrue(one.endswith(b"\r\n\r\nby one\n"))
        self.assertTrue(two.endswith(b"\r\n\r\nby two\n"))
        self.assertTrue(three.startswith(b"503 "))
        self.assertIn(b"\r\nRetry-After: 7\r\n", three)

    def test_noRoute(self) -> None:
        """
        A request for a host without an app is not intercepted.
        """

        def fail(head: RequestHead, scheme: bytes) -> Reply | None:
            raise AssertionError("intercepted")

        self.assertEqual(self.ask([fail], get(host="b")).status, 404)

    def test_health(self) -> None:
        """
        A health check is answered on every host, whatever its query, and 503 once the edge
        is stopping; other paths go on.
        """
        check = HealthCheck("/healthz", lambda: self.dispatcher.leaving)
        requests = get("/healthz", "a"), get("/healthz?x", "b"), get("/healthzz", "a")
        found = self.ask([check], *requests, health=check)
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", found.received), [b"200", b"200", b"503"])
        self.assertTrue(found.received.endswith(b"no app\n"))
        self.assertEqual(self.ask([check], get("/", "b"), health=check).status, 404)

    def test_healthLeaving(self) -> None:
        """
        Once the edge is stopping, a check fails.
        """
        check = HealthCheck("/healthz", lambda: True)
        self.assertEqual(self.ask([], get("/healthz", "b"), health=check).status, 503)

    def test_leaving(self) -> None:
        """
        Once the edge is stopping, the connection is not kept after a reply.
        """

        def stop(head: RequestHead, scheme: bytes) -> Reply | None:
            self.dispatcher.leaving = True
            return Reply(200, "last")

        client = self.ask([stop], get(host="a"), get(host="a"))
        self.assertEqual(client.received.count(b"HTTP/1.1 "), 1)
        self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertTrue(client.ended)
