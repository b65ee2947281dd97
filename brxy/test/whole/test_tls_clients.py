"""
Tests of clients over plain connections, repeated with clients that use TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from brxy.test.support.loopback.edges import EdgeTests, onTLS
from brxy.test.support.loopback.peers import Message, Peer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.test.whole import test_held, test_hostile_clients, test_http, test_tcp


@onTLS
class ConnectionTests(test_http.ConnectionTests):
    """
    Tests of the requests on a connection, and their order, over TLS.
    """


@onTLS
class OldClientTests(test_http.OldClientTests):
    """
    Tests of clients that speak HTTP/1.0 over TLS.
    """


@onTLS
class BodyTests(test_http.BodyTests):
    """
    Tests of bodies, and of interim responses before them, over TLS.
    """


@onTLS
class HeldTests(test_held.HeldTests):
    """
    Tests of requests for which there is no instance yet, over TLS.
    """


@onTLS
class LeavingTests(test_hostile_clients.LeavingTests):
    """
    Tests of clients that hang up while they are held, or later, over TLS.
    """


@onTLS
class TCPTests(test_tcp.TCPTests):
    """
    Tests of TLS that ends before a TCP route.
    """


def _fin(peer: Peer) -> None:
    """
    End a connection without close_notify, as the kernel does for a killed client.
    """
    cast(Any, peer.transport).transport.loseWriteConnection()


def _notifyAndFIN(peer: Peer) -> None:
    """
    End a connection as a client does that closes it.
    """
    peer.end()
    _fin(peer)


@onTLS
class EndingTests(EdgeTests):
    """
    Tests of the ends of clients over TLS while their app is at work.
    """

    async def test_ends(self) -> None:
        """
        A client has gone that ends or resets its connection in any way: the app's connection
        breaks at once, before its response and in it.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/begun":
                peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ndata")

        app = webApp(respond)
        self.launch(app)
        for target in (b"/silent", b"/begun"):
            for leave in (Peer.end, _notifyAndFIN, _fin, Peer.close, Peer.abort):
                await self._leave(app.requests, target, leave)
                await app.peers[-1].untilLost()
                self.assertFalse(app.peers[-1].clean)

    async def _leave(
        self, requests: list[Message], target: bytes, leave: Callable[[Peer], None]
    ) -> None:
        before = len(requests)
        client = await self.connect()
        client.write(b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % target)
        begun = target == b"/begun"
        await self.until(lambda: len(requests) > before)
        await self.until(lambda: client.received.endswith(b"data") or not begun)
        leave(client)
        await client.untilLost()


@onTLS
class EndingTwoHopsTests(EndingTests):
    """
    Tests of the ends of clients over TLS, with a node between edge and app.
    """

    spawner_type = NodeSpawner
