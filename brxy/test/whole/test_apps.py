"""
Tests of apps that handle their connections in unusual ways: over keep-alive
clients no request fails, and no POST is sent twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from brxy.apps import connection as app_connection
from brxy.interfaces import Address
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Peer, answer
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.transport import connection

GET = b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST /%d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"

#: Seconds after which many apps close an idle connection.
IDLE = 1.0


@onBothTransports
class AppTests(EdgeTests):
    """
    Tests of apps that close connections sooner or later, with or without
    announcing it.
    """

    async def use(self, gaps: Sequence[float]) -> list[bytes]:
        """
        Send many requests on one connection; each must be answered.

        @param gaps: the seconds before each request.
        @return: the requests.
        """
        peer = await self.connect()
        for number, gap in enumerate(gaps):
            if gap:
                await deferLater(self.reactor, gap)
            method, request = ((b"GET", GET), (b"POST", POST))[number % 3 > 0]
            peer.write(request % number)
            reply = await peer.answer()
            self.assertEqual((reply.status, reply.body), (200, method), number)
        return [b"/%d" % number for number in range(len(gaps))]

    async def check(self, app: App, gaps: Sequence[float] = (0.0,) * 40) -> None:
        """
        Send requests through an edge to an app, which must see each of them
        once.
        """
        self.launch(app, {"max_instances": 1})
        asked = await self.use(gaps)
        # A GET on a connection that closes may have been sent twice.
        posts = [request.target for request in app.requests if request.method == b"POST"]
        self.assertEqual(posts, [target for n, target in enumerate(asked) if n % 3])

    async def test_closesAlways(self) -> None:
        """
        The app closes after each response without having announced it.
        """

        async def serve(peer: Peer) -> None:
            await self._serveOne(app, peer)

        app = App(serve)
        await self.check(app)

    async def test_closesSoon(self) -> None:
        """
        The app closes a moment after each response, and reads nothing in that
        moment.
        """
        # The moment may be long on a busy machine.
        for module in (app_connection, connection):
            self.patch(module, "IDLE_PROOF", 20.0)

        async def serve(peer: Peer) -> None:
            await self._serveOne(app, peer)
            await self.soon(10)

        app = App(serve)
        await self.check(app)

    async def _serveOne(self, app: App, peer: Peer) -> None:
        request = await peer.request()
        app.requests.append(request)
        peer.write(answer(request.method))

    async def test_closesIdle(self) -> None:
        """
        The app closes connections that were idle for a second, and reads
        nothing shortly before.
        """

        async def serve(peer: Peer) -> None:
            timers: list[Any] = []

            def later(seconds: float, call: Callable[[], object]) -> None:
                timers.append(self.reactor.callLater(seconds, call))

            while True:
                # On a busy machine both times may be over before the socket is checked. Then the
                # bytes that have arrived by then are read first.
                later(IDLE * 0.9, partial(later, 0, peer.pause))
                later(IDLE, partial(later, 0, peer.close))
                try:
                    request = await peer.request()
                finally:
                    for timer in timers:
                        if timer.active():
                            timer.cancel()
                    timers.clear()
                app.requests.append(request)
                peer.write(answer(request.method))

        app = App(serve)
        before, after = IDLE * 0.95, IDLE * 1.05
        await self.check(app, (0, 0, 0, 0.1, 0, before, 0, before, 0, 0, after, 0))

    async def test_keeps(self) -> None:
        """
        An app that keeps its connections gets requests on a few of them.
        """

        async def serve(peer: Peer) -> None:
            while True:
                await self._serveOne(app, peer)

        app = App(serve)
        # A moment may be long on a busy machine.
        self.patch(app_connection, "IDLE_SURE", 20.0)
        # After the pause it is known that the app keeps its connection, which then stays.
        await self.check(app, (0, 0.1, *(0,) * 40))
        self.assertLess(len(app.peers), 4)

    async def test_old(self) -> None:
        """
        The app speaks HTTP/1.0 and closes, with a Content-Length and without.
        """

        async def serve(peer: Peer) -> None:
            request = await peer.request()
            app.requests.append(request)
            body = request.method
            if len(app.requests) % 2:
                peer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)
            else:
                peer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body)

        app = App(serve)
        self.launch(app, {"max_instances": 1})
        for number in range(40):
            # A response without a length ends the client's connection.
            request, method = ((GET, b"GET"), (POST, b"POST"))[number % 2]
            reply = await self.ask(request % number)
            self.assertEqual((reply.status, reply.body), (200, method))
        self.assertEqual(app.targets(), [b"/%d" % number for number in range(40)])

    async def test_oneConnection(self) -> None:
        """
        The app keeps its connections, but serves the next one only when the
        one before is closed, as Python's own server does.
        """
        asked: list[str] = []
        server = _Server(("127.0.0.1", 0), _handler(asked))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(_stop, server, thread)
        address = Address("127.0.0.1", server.server_address[1])
        self.launch(lambda order: address, {"max_instances": 1})
        targets = await self.use((0.0, 0.1, 0.0, 0.6) + (0.0,) * 40)
        self.assertEqual(asked, [target.decode() for target in targets])
        both = await _all([self.use((0.0,) * 20), self.use((0.0,) * 20)])
        self.assertEqual(len(asked), len(targets) + 40)
        self.assertEqual(len(both), 2)


class _Server(HTTPServer):
    """
    Python's own server, which prints nothing when the edge cuts the
    connection.
    """

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        Ignore a connection that broke.
        """
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(asked: list[str]) -> type[BaseHTTPRequestHandler]:
    """
    @param asked: collects the requests.
    """

    class Handler(BaseHTTPRequestHandler):
        """
        A handler that answers with the method.
        """

        protocol_version = "HTTP/1.1"
        # Otherwise each answer takes as long as a delayed acknowledgement.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = self.command.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


async def _stop(server: HTTPServer, thread: Thread) -> None:
    await deferToThread(server.shutdown)
    await deferToThread(thread.join)
    server.server_close()


async def _all(coroutines: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    running = [Deferred.fromCoroutine(each) for each in coroutines]
    return [await each for each in running]


@onBothTransports
class AppTwoHopsTests(AppTests):
    """
    Tests of apps that close connections, with a node between edge and app.
    """

    spawner_type = NodeSpawner
