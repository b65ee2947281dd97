"""
Tests of clients that read their responses slowly: they hold no instance.
"""

from __future__ import annotations

import contextlib
import os
import socket

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

GET = b"GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n"

#: One instance that takes one exchange at a time.
SINGLE = {"max_instances": 1, "capacity": 1}


def sized() -> App:
    """
    @return: an app that answers with as many bytes as the path says.
    """

    async def respond(request: Message, peer: Peer) -> None:
        peer.write(answer(b"x" * int(request.target[1:])))

    return webApp(respond)


def limitSending(port: int) -> None:
    """
    Have the kernel keep little of what this process sends to the clients of a port.
    """
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if not os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(number))) as sock:
                listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if listens and sock.family is socket.AF_INET and sock.getsockname()[1] == port:
                    # Connections that are accepted have the options of what listens.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


class SlowReaderBase(EdgeTests):
    """
    Base of tests with clients that do not read.
    """

    def start(self, limits: Limits | None = None) -> App:
        """
        Start an edge before an app that takes one exchange at a time.
        """
        app = sized()
        self.launch(app, SINGLE, limits=limits or Limits())
        limitSending(self.edge.addresses[0].port)
        return app

    def reader(self, *requests: bytes) -> socket.socket:
        """
        @return: a client that has sent this, and does not read.
        """
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        address = self.edge.addresses[0]
        client.connect((address.host, address.port))
        client.sendall(b"".join(requests))
        return client

    async def take(self, client: socket.socket, size: int) -> int:
        """
        Have a client read at least this many bytes.

        @return: how many it has read.
        """
        client.setblocking(False)
        taken = 0
        while taken < size:
            with contextlib.suppress(BlockingIOError):
                data = client.recv(65536)
                self.assertTrue(data)
                taken += len(data)
            await self.soon()
        return taken


@onBothTransports
class SlowReaderTests(SlowReaderBase):
    """
    Tests of responses that are taken from the app while clients do not read.
    """

    async def test_frees(self) -> None:
        """
        Many clients that do not read their responses leave the app free for another one, and
        get all of them later.
        """
        app = self.start()
        slow = [self.reader(GET % 50_000) for _ in range(30)]
        await self.until(lambda: len(app.requests) == 30)
        self.assertEqual((await self.ask(GET % 2)).body, b"xx")
        for client in slow:
            await self.take(client, 50_000)

    async def test_pipelined(self) -> None:
        """
        A client that sends requests ahead and does not read gets one response at a time: the
        next exchange begins when it has taken the last response.
        """
        app = self.start()
        client = self.reader(*[GET % 50_000] * 5)
        await self.until(lambda: app.requests)
        self.assertEqual((await self.ask(GET % 2)).body, b"xx")
        self.assertEqual((await self.ask(GET % 3)).body, b"xxx")
        self.assertLessEqual(app.targets().count(b"/50000"), 2)
        await self.take(client, 5 * 50_000)
        self.assertEqual(app.targets().count(b"/50000"), 5)


@onBothTransports
class SlowReaderTwoHopsTests(SlowReaderTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner


class ResponseBufferTests(SlowReaderBase):
    """
    Tests of the limits on the memory for responses.
    """

    async def test_total(self) -> None:
        """
        When all clients together have as many bytes as they may, the next one holds the app
        until it reads.
        """
        app = self.start(Limits(response_buffer_total=60_000))
        first = self.reader(GET % 64_000)
        await self.until(lambda: app.requests)
        self.assertEqual((await self.ask(GET % 2)).body, b"xx")
        second = self.reader(GET % 200_000)
        await self.until(lambda: len(app.requests) == 3)
        third = await self.connect()
        third.write(GET % 3)
        await self.untilRead()
        await self.soon(50)
        self.assertEqual((third.received, len(app.requests)), (b"", 3))
        await self.take(second, 200_000)
        self.assertEqual((await third.answer()).body, b"xxx")
        await self.take(first, 64_000)


class LargerBufferTests(SlowReaderBase):
    """
    Tests of a buffer that is larger than by default.
    """

    async def test_frees(self) -> None:
        """
        A large response frees the app, even one that would be moved unread otherwise.
        """
        app = self.start(Limits(response_buffer=2_000_000))
        client = await self.connect()
        client.write(GET % 1_000_000)
        client.pause()
        await self.until(lambda: app.requests)
        self.assertEqual((await self.ask(GET % 2)).body, b"xx")
        client.resume()
        self.assertEqual((await client.answer()).body, b"x" * 1_000_000)


class LargerBufferTLSTests(LargerBufferTests):
    """
    The same over TLS.
    """

    secured = True
