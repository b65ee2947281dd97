"""
Tests of the rules of RFC 9112 for proxies and gateways, with bytes that pass through an edge.
C{doc/hostile.rst} lists all rules; other tests there prove the rest.
"""

from __future__ import annotations

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.edges import onTLS
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.passing import PassingTests, request
from brxy.test.support.loopback.peers import App, Broken, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

CHUNKED = b"Transfer-Encoding: chunked\r\n"


@onBothTransports
class SyntaxTests(PassingTests):
    """
    Tests of heads (§2 to §5).
    """

    async def test_emptyLines(self) -> None:
        """
        §2.2: empty lines between requests are ignored, and none is sent to the app, neither
        before a request nor behind its body.
        """
        app = webApp(answer())
        self.launch(app)
        client = await self.connect()
        for _ in range(2):
            client.write(b"\r\n\r\n", request(b"", b"PUT / HTTP/1.1", b"ab"), b"\r\n")
            self.assertEqual((await client.answer()).status, 200)
        for sent in app.requests:
            self.assertTrue(sent.raw.startswith(b"PUT / ") and sent.raw.endswith(b"\r\n\r\nab"))
        [peer] = app.peers
        self.assertTrue(peer.received.endswith(b"\r\n\r\nab"))

    async def test_blankLines(self) -> None:
        """
        §2.2: a response with white space before its first field is refused.
        """
        for line in (b" X: a", b"\tX: a", b" ", b" Content-Length: 2"):
            self.front()
            self.reply = answer().replace(b"OK\r\n", b"OK\r\n%b\r\n" % line)
            self.assertEqual((await self.ask(request())).status, 502, line)

    async def test_version(self) -> None:
        """
        §2.3, §4: a response is passed on in HTTP/1.1, whatever the app speaks, with the space
        behind the status, even if there is no reason.
        """
        for line, expected in (
            (b"HTTP/1.0 200 Fine", b"HTTP/1.1 200 Fine"),
            (b"HTTP/1.1 200", b"HTTP/1.1 200 "),
            (b"HTTP/1.1 200 ", b"HTTP/1.1 200 "),
        ):
            for version in (b"1.1", b"1.0"):
                _, received = await self.passed(
                    request(b"", b"GET / HTTP/" + version), line + b"\r\nContent-Length: 0\r\n\r\n"
                )
                self.assertEqual(received.line, expected)

    async def test_absoluteForm(self) -> None:
        """
        §3.2: an app gets the origin-form, with the Host of the target in place of the client's,
        and C{*} for an OPTIONS of a whole server.
        """
        for line, target, host in (
            (b"GET http://b.example HTTP/1.1", b"/", b"b.example"),
            (b"GET HTTPS://b.example:81/x?y HTTP/1.1", b"/x?y", b"b.example:81"),
            (b"GET http://b?x HTTP/1.1", b"/?x", b"b"),
            (b"OPTIONS http://b.example:8001 HTTP/1.1", b"*", b"b.example:8001"),
            (b"OPTIONS http://b.example/ HTTP/1.1", b"/", b"b.example"),
            (b"OPTIONS http://b.example?x HTTP/1.1", b"/?x", b"b.example"),
            (b"OPTIONS * HTTP/1.1", b"*", b"a"),
            (b"GET http://b.example/ HTTP/1.0", b"/", b"b.example"),
        ):
            sent, _ = await self.passed(request(line=line))
            self.assertEqual((sent.target, sent[b"host"]), (target, host), line)
            self.assertEqual(sent[b"x-forwarded-proto"], b"http")

    async def test_blanks(self) -> None:
        """
        §5.1: white space around a field's value is not passed on, nor is that before the colon
        of a response's field. If such a field frames the response, that is refused.
        """
        sent, received = await self.passed(
            request(b"X:\t a b \t\r\n"), answer(fields=[b"X : a b\t", b"Y\t : ", b"Z:1"])
        )
        self.assertIn(b"\r\nX: a b\r\n", sent.raw)
        for line in (b"X: a b", b"Y: ", b"Z: 1"):
            self.assertIn(b"\r\n%b\r\n" % line, received.raw)
        self.reply = answer().replace(b"Length:", b"Length :")
        self.assertEqual((await self.ask(request())).status, 502)

    async def test_blanksInPieces(self) -> None:
        """
        §5.1: so it is if the response comes byte by byte.
        """

        async def respond(request: Message, peer: Peer) -> None:
            for byte in answer(fields=[b"X \t: a"]):
                peer.write(bytes([byte]))
                await self.soon()

        self.launch(webApp(respond))
        reply = await self.ask(request())
        self.assertEqual((reply[b"x"], reply.body), (b"a", b"ok"))


@onBothTransports
class BodyTests(PassingTests):
    """
    Tests of bodies, and of connections (§6 to §9).
    """

    async def test_noCoding(self) -> None:
        """
        §6.1: a response that has no body has neither a coding nor, if it could not have one, a
        length.
        """
        for line in (b"204 No Content", b"103 Early Hints", b"100 Continue"):
            for fields in (CHUNKED, b"Content-Length: 0\r\n"):
                head = b"HTTP/1.1 %b\r\n%b\r\n" % (line, fields)
                final = answer() if line.startswith(b"1") else b""
                _, received = await self.passed(request(), head + final)
                self.assertEqual(received.line, b"HTTP/1.1 " + line)
                for name in (b"transfer-encoding", b"content-length"):
                    self.assertEqual(received.values(name), [], line)

    async def test_chunkedOnce(self) -> None:
        """
        §6.1: what is chunked is not chunked again, and gets no Content-Length; what has a
        length keeps that.
        """
        body = b"5\r\nhello\r\n0\r\n\r\n"
        for line, fields, payload in (
            (b"POST / HTTP/1.1", CHUNKED, body),
            (b"POST / HTTP/1.1", b"Content-Length: 5\r\n", b"hello"),
            (b"GET / HTTP/1.1", b"content-length:005\r\n", b"hello"),
        ):
            sent, received = await self.passed(
                request(fields, line) + payload,
                b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + payload,
            )
            for message in (sent, received):
                self.assertTrue(message.raw.endswith(b"\r\n\r\n" + payload), message.raw)
                frames = message.values(b"transfer-encoding") + message.values(b"content-length")
                self.assertEqual(frames, [b"chunked"] if payload is body else [b"5"])

    async def test_extensions(self) -> None:
        """
        §7.1.1: chunk extensions change nothing.
        """
        body = b'5;a;b=c;d="e,\\"f;"\r\nhello\r\n000;x\r\n\r\n'
        sent, received = await self.passed(
            request(CHUNKED, b"POST / HTTP/1.1") + body,
            b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n" + body,
        )
        self.assertEqual((sent.body, received.body), (b"hello", b"hello"))
        self.reply = b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n" + body
        self.assertEqual((await self.ask(request(b"", b"GET / HTTP/1.0"))).body, b"hello")

    async def test_closeEnds(self) -> None:
        """
        §9.6: behind a request with C{close}, and behind a response with it, nothing more is
        read on the connection, and it ends.
        """
        app = webApp(answer())
        self.launch(app, limits=Limits(max_requests=3))
        for first, count in ((b"Connection: Close\r\n", 1), (b"", 3)):
            before = len(app.requests)
            data = await self.talk(request(first), request() * 4)
            self.assertEqual(data.count(b"HTTP/1.1 200 "), count)
            self.assertEqual(data.count(b"\r\nConnection: close\r\n"), 1)
            self.assertEqual(len(app.requests) - before, count)

    async def test_pipelined(self) -> None:
        """
        §9.3.2: the app of a client that pipelines gets one request after the other, and a
        request that is offered again is not followed by another before its response.
        """

        async def serve(peer: Peer) -> None:
            app.requests.append(await peer.request())
            await self.soon(5)
            self.assertEqual(peer.received, app.requests[-1].raw)
            if len(app.peers) > 1:
                peer.write(answer(app.requests[-1].target))

        app = App(serve)
        self.launch(app)
        client = await self.connect()
        targets = [b"/1", b"/2", b"/3"]
        client.write(*[request(line=b"GET %b HTTP/1.1" % target) for target in targets])
        self.assertEqual([(await client.answer()).body for _ in targets], targets)
        self.assertEqual(app.targets(), [b"/1", *targets])

    async def test_unasked(self) -> None:
        """
        §9.2: what an app sends without a request is not taken for the response to the next
        one.
        """
        app = webApp(answer(b"right"))
        self.launch(app)
        client = await self.connect()
        for number in range(1, 4):
            client.write(request())
            self.assertEqual((await client.answer()).body, b"right")
            app.peers[-1].write(answer(b"poison"))
            await app.peers[-1].untilLost()
            self.assertEqual(len(app.peers), number)
        self.assertNotIn(b"poison", client.received)


@onBothTransports
class ClosureTests(PassingTests):
    """
    Tests of the ends of connections (§8, §9.8).
    """

    async def test_untilClose(self) -> None:
        """
        §8, §9.8: a response without a length ends properly, over TLS with a closure alert, if
        the app has ended it. If the app breaks off, it does not.
        """
        complete = True

        async def serve(peer: Peer) -> None:
            await peer.head()
            peer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
            await client.until(lambda: b"hello" in client.received)
            if complete:
                peer.close()
            else:
                peer.abort()

        self.launch(App(serve))
        for complete in (True, False):
            client = await self.connect()
            client.write(request())
            if complete:
                self.assertEqual((await client.answer()).body, b"hello")
            else:
                with self.assertRaises(Broken):
                    await client.answer()
            self.assertEqual(client.clean, complete)

    async def test_ends(self) -> None:
        """
        §9.8: the edge ends a connection properly, over TLS with a closure alert, behind a
        response and behind a refusal.
        """
        self.launch(webApp(answer()))
        for data in (request(b"Connection: close\r\n"), b"GET / HTTP/1.1\r\n\r\n", b"x\r\n\r\n"):
            client = await self.connect()
            client.write(data)
            self.assertIn(b"\r\nConnection: close\r\n", await client.untilEnd())
            self.assertTrue(client.clean)


@onTLS
class TLSClosureTests(ClosureTests):
    """
    Tests of the ends of connections over TLS.
    """


@onBothTransports
class SyntaxTwoHopsTests(SyntaxTests):
    """
    Tests of heads, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class BodyTwoHopsTests(BodyTests):
    """
    Tests of bodies and connections, with a node between edge and app.
    """

    spawner_type = NodeSpawner
