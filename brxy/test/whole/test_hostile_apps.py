"""
Tests of hostile apps: which responses are refused, which are cut off, and what
is never taken for the end of a response. See C{doc/hostile.rst}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater

from brxy.edge.config.limits import Limits
from brxy.edge.exchanges.table import INTERIM_LIMIT
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Broken, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.transport.tcpinfo import readInfo, takenOf

GET = b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: x\r\n\r\n"
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@onBothTransports
class BadHeadTests(EdgeTests):
    """
    Tests of invalid response heads: the client gets 502, and the connection to
    the app is not used again.
    """

    async def refused(self, *replies: bytes, request: bytes = GET % b"/") -> None:
        """
        Check that each of these responses of the app is refused.
        """
        reply = b""

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(reply)

        app = webApp(respond)
        self.launch(app)
        client = await self.connect()
        for number, reply in enumerate(replies):  # noqa: B007
            client.write(request)
            self.assertEqual((await client.answer()).status, 502, reply[:80])
            await app.peers[number].untilLost()
        # No request was offered again, because an app may have acted upon it.
        self.assertEqual(len(app.requests), len(replies))
        reply = answer(b"good")
        client.write(GET % b"/")
        self.assertEqual((await client.answer()).body, b"good")

    async def test_lengthWithTransferEncoding(self) -> None:
        """
        Content-Length together with Transfer-Encoding.
        """
        await self.refused(
            OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        )

    async def test_twoLengths(self) -> None:
        """
        Two Content-Length fields, even with the same value, and invalid
        values.
        """
        await self.refused(
            OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
            OK + b"Content-Length: 2, 2\r\n\r\nab",
            OK + b"Content-Length: -1\r\n\r\n",
            OK + b"Content-Length: +2\r\n\r\nab",
            OK + b"Content-Length: \r\n\r\n",
        )

    async def test_transferEncodings(self) -> None:
        """
        A coding other than chunked, chunked twice, or chunked in HTTP/1.0.
        """
        await self.refused(
            OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            OK + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        )

    async def test_splitting(self) -> None:
        """
        Line breaks that an attacker got into a field of the app end no line.
        """
        await self.refused(
            OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
            OK + b"X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
            OK + b"X: a\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
            OK + b"X: a\r\n Set-Cookie: b\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        )

    async def test_endlessHead(self) -> None:
        """
        A head that is too long, has too many fields, or has a first line
        without end.
        """
        await self.refused(
            OK + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
            OK + b"X: y\r\n" * 2000 + b"\r\n",
            b"HTTP/1.1 200 " + b"x" * 200_000,
        )

    async def test_garbage(self) -> None:
        """
        Bytes that are not HTTP, or are of another version.
        """
        await self.refused(
            b"garbage\r\n\r\n",
            b"\x00" * 100,
            b"\x15\x03\x01\x00\x02\x02\x46",
            b"<html>",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"\r\n" + answer(),
        )

    async def test_unaskedSwitch(self) -> None:
        """
        101 for a client that did not request an upgrade.
        """
        switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: %b\r\nConnection: upgrade\r\n\r\n"
        await self.refused(switch % b"websocket", switch % b"h2c")

    async def test_otherSwitch(self) -> None:
        """
        101 to a protocol that was not requested, or to none.
        """
        switch = b"HTTP/1.1 101 Switching Protocols\r\n%bConnection: upgrade\r\n\r\n"
        await self.refused(
            switch % b"Upgrade: other\r\n",
            switch % b"Upgrade: websocket, other\r\n",
            switch % b"Upgrade: h2c\r\n",
            switch % b"",
            request=UPGRADE,
        )

    async def test_badChunk(self) -> None:
        """
        An invalid chunk together with the head: the client gets none of it.
        """
        await self.refused(
            CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
            CHUNKED + b"FFFFFFFFFFFFFFFF1\r\nabc",
            CHUNKED + b"3\r\nabcX\r\n0\r\n\r\n",
            CHUNKED + b"3\nabc\n0\n\n",
        )

    async def test_interimFlood(self) -> None:
        """
        The number of informational responses is limited.
        """
        app = webApp(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 10_000 + answer())
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        statuses = []
        while 502 not in statuses:
            statuses.append((await client.answer()).status)
        self.assertEqual(statuses, [103] * INTERIM_LIMIT + [502])
        await app.peers[0].untilLost()
        self.assertEqual(len(app.requests), 1)

    async def test_noResponse(self) -> None:
        """
        The app always closes instead of responding: repeatable requests are
        offered again up to the limit, and other requests are not.
        """

        async def serve(peer: Peer) -> None:
            app.requests.append(await peer.request())

        app = App(serve)
        self.launch(app, retries=2)
        self.assertEqual((await self.ask(GET % b"/")).status, 502)
        self.assertEqual(len(app.requests), 3)
        self.assertEqual((await self.ask(POST % b"/")).status, 502)
        self.assertEqual(len(app.requests), 4)

    async def test_silent(self) -> None:
        """
        With C{--response-timeout}, a client of an app that does not answer in
        time gets 504, and the connection to the app is closed. Time after the
        head does not count.
        """
        limit = 0.2

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/slow":
                peer.write(answer(b"slow")[:-1])
                await deferLater(self.reactor, 3 * limit)
                peer.write(b"w")

        app = webApp(respond)
        self.launch(app, response_timeout=limit)
        self.assertEqual((await self.ask(POST % b"/")).status, 504)
        await app.peers[0].untilLost()
        # On a busy machine the head itself may come too late.
        while (reply := await self.ask(GET % b"/slow")).status == 504:
            pass
        self.assertEqual(reply.body, b"slow")

    async def test_idle(self) -> None:
        """
        With C{--stream-idle-timeout}, an app that is silent for too long gets its connection
        closed: its client gets 504, or a reset if the response has begun.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/begun":
                peer.write(answer(b"slow")[:-1])

        app = webApp(respond)
        self.launch(app, limits=Limits(stream_idle_timeout=0.2))
        self.assertEqual((await self.ask(POST % b"/")).status, 504)
        client = await self.connect()
        client.write(GET % b"/begun")
        self.assertTrue((await client.untilEnd()).endswith(b"\r\n\r\nslo"))
        await client.untilLost()
        self.assertFalse(client.clean)
        for peer in app.peers:
            await peer.untilLost()


@onBothTransports
class BadBodyTests(EdgeTests):
    """
    Tests of responses that are shorter or longer than announced.
    """

    async def breaks(self, reply: bytes, *later: bytes, reset: bool = False) -> None:
        """
        Have the app send these pieces and close. The client gets all bytes
        that were sent, and then a reset. The request is not offered again.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if len(app.requests) > 1:
                peer.write(answer())
                return
            peer.write(reply)
            head = reply.partition(b"\r\n\r\n")[0]
            for piece in later:
                await client.until(lambda: head.splitlines()[0] in client.received)
                peer.write(piece)
            peer.close()

        app = webApp(respond)
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        await client.untilLost()
        assert client.lost is not None
        self.assertIsNone(client.lost.check(ConnectionDone))
        body = reply.partition(b"\r\n\r\n")[2]
        self.assertTrue(client.received.endswith(b"\r\n\r\n" + body))
        self.assertEqual(len(app.requests), 1)
        await app.peers[0].untilLost()
        self.assertEqual((await self.ask(GET % b"/")).status, 200)

    async def test_tooShort(self) -> None:
        """
        Fewer bytes than Content-Length: the client's connection breaks.
        """
        await self.breaks(answer(b"x" * 100)[:-50])

    async def test_muchTooShort(self) -> None:
        """
        Half of a long response: the client gets all of it that came, even if it reads
        slowly, and then its connection breaks.
        """
        size = 1_000_000
        for fields in (b"Content-Length: %d" % (2 * size), b"Transfer-Encoding: chunked"):
            part = b"x" * size
            if b"chunked" in fields:
                part = b"%x\r\n%b" % (2 * size, part)
            await self.partial(fields, part)

    async def partial(self, fields: bytes, part: bytes) -> None:
        """
        Have the app send a part of a body and close, while the client does not read.
        """

        async def serve(peer: Peer) -> None:
            await peer.head()
            peer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (fields, part))
            peer.close()

        self.launch(App(serve))
        client = await self.connect()
        client.write(GET % b"/")
        await client.until(lambda: len(client.received) > 1000)
        client.pause()
        await self.untilRead()
        client.resume()
        await client.untilLost()
        self.assertFalse(client.clean)
        self.assertTrue(client.received.endswith(b"\r\n\r\n" + part))
        await self.edge.stopService()

    async def test_resetUnread(self) -> None:
        """
        An app resets its connection while the client takes nothing: the client gets all bytes
        that had left the app by then, and then its connection breaks.
        """
        await self.resetUnread(b"Content-Length: %d\r\n\r\n" % (1 << 40))
        await self.resetUnread(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (1 << 40))

    async def test_resetWhileUploading(self) -> None:
        """
        So does a client that still sends its request then; but not on Twisted's transport, which
        reads nothing more after a write has failed.
        """
        pieces = (b"x" * 4, b"x" * 4)
        await self.resetUnread(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (1 << 40), *pieces)

    async def resetUnread(self, start: bytes, *later: bytes) -> None:
        """
        Have an app send more than all buffers on the way hold, and then reset its connection.
        The client reads only after that.

        @param start: of its response, behind the first line.
        @param later: what the client sends after the reset.
        """
        sent = 0

        async def serve(peer: Peer) -> None:
            nonlocal sent
            await peer.head()
            peer.write(OK + start)
            await client.until(lambda: client.received)
            client.pause()
            sending = Deferred.fromCoroutine(peer.send(b"x" * 65536, 1 << 20))
            sending.addErrback(lambda failure: failure.trap(Broken))
            while (taken := takenOf(readInfo(peer.transport))) > sent:
                sent = taken
                await deferLater(self.reactor, 0.1)
            peer.abort()

        app = App(serve)
        self.launch(app)
        client = await self.connect()
        # A long body goes to the app as it comes.
        length = 1_000_000 if later else 0
        client.write(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % length)
        await self.until(lambda: app.peers and app.peers[0].lost is not None)
        await self.untilRead()
        for piece in later:
            client.write(piece)
            await self.untilRead()
        client.resume()
        await client.untilLost()
        self.assertFalse(client.clean)
        body = len(client.received) - client.received.find(b"\r\n\r\n")
        self.assertGreater(body, 1_000_000)
        if self.transport == "epoll" or not later:
            begun = len(start) - start.find(b"\r\n\r\n")
            # The app knows only what was acknowledged: more may have arrived on a busy machine.
            self.assertGreaterEqual(body, sent - len(OK + start) + begun)
        await self.edge.stopService()

    async def test_lastChunkMissing(self) -> None:
        """
        A missing last chunk: the client's connection breaks.
        """
        await self.breaks(CHUNKED + b"3\r\nabc\r\n")

    async def test_badChunkBehindGood(self) -> None:
        """
        An invalid chunk after bytes were passed on: the client's connection
        breaks, and never ends cleanly.
        """
        for bad in (b"0x3\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"\n0\r\n\r\n", b"0\r\nX\r\n\r\n"):
            await self.breaks(CHUNKED + b"3\r\nabc\r\n", bad)

    async def test_tooLong(self) -> None:
        """
        Bytes beyond Content-Length are cut off, in the same piece or in one of
        their own, and the connection to the app is not used again.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/together":
                peer.write(answer(b"whole"), answer(b"poison"))
            else:
                peer.write(answer(b"whole"))
                await self.until(lambda: client.received.count(b"whole") == 2)
                peer.write(answer(b"poison"))

        app = webApp(respond)
        self.launch(app)
        client = await self.connect()
        for number, target in enumerate((b"/together", b"/later")):
            client.write(GET % target)
            self.assertEqual((await client.answer()).body, b"whole")
            await app.peers[number].untilLost()
        client.write(GET % b"/together")
        self.assertEqual((await client.answer()).body, b"whole")
        self.assertEqual(len(app.peers), 3)
        self.assertNotIn(b"poison", client.received)

    async def test_bodyOfNone(self) -> None:
        """
        A body where none is allowed is cut off: after 204, 304, and the
        response to a HEAD.
        """
        replies = (
            (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n"),
            (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n"),
            (b"HEAD", OK + b"Content-Length: 6\r\n\r\n"),
        )
        reply = b""

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(reply)

        app = webApp(respond)
        self.launch(app)
        client = await self.connect()
        for number, (method, head) in enumerate(replies):
            reply = head + b"poison"
            client.write((GET % b"/").replace(b"GET", method))
            self.assertIn((await client.answer(method)).status, (200, 204, 304))
            await app.peers[number].untilLost()
        reply = answer()
        client.write(GET % b"/")
        self.assertEqual((await client.answer()).body, b"ok")
        self.assertNotIn(b"poison", client.received)

    async def test_resetUntilClose(self) -> None:
        """
        A response that the end of the connection ends is complete with a FIN,
        and is broken with a reset.
        """

        async def serve(peer: Peer) -> None:
            app.requests.append(await peer.request())
            peer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
            await client.until(lambda: b"hello" in client.received)
            if len(app.requests) == 1:
                peer.close()
            else:
                peer.abort()

        app = App(serve)
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        reply = await client.answer()
        self.assertEqual((reply.body, reply[b"connection"]), (b"hello", b"close"))
        client = await self.connect()
        client.write(GET % b"/")
        with self.assertRaises(Broken):
            await client.answer()
        self.assertFalse(client.clean)

    async def test_early(self) -> None:
        """
        The app's response is complete before the upload is. The client gets
        all of it although it continues to send, and neither connection is used
        again.
        """
        body = b"too large " * 30_000

        async def serve(peer: Peer) -> None:
            await peer.head()
            # The app does not read the rest. A reset must not overtake the response.
            peer.write(answer(body, b"413 Content Too Large"))
            await peer.untilEnd()

        app = webApp(answer())
        serve_well, app.serve_by = app.serve_by, serve
        self.launch(app)
        peer = await self.connect()
        peer.write(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9000000\r\n\r\n")
        # The client reads only after the edge has finished the exchange.
        peer.pause()
        await self.until(lambda: app.peers)
        for _ in range(64):
            peer.write(b"x" * 65536)
        await self.until(lambda: app.peers[0].ended)
        await self.soon(50)
        peer.resume()
        reply = await peer.answer()
        self.assertEqual((reply.status, reply.body), (413, body))
        self.assertEqual(await peer.untilEnd(), b"")
        self.assertTrue(peer.clean)
        app.serve_by = serve_well
        self.assertEqual((await self.ask(GET % b"/")).body, b"ok")
        self.assertEqual(len(app.peers), 2)


@onBothTransports
class BadHeadTwoHopsTests(BadHeadTests):
    """
    Tests of invalid response heads, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class BadBodyTwoHopsTests(BadBodyTests):
    """
    Tests of responses with a wrong length, with a node between edge and app.
    """

    spawner_type = NodeSpawner
