"""
Tests of HTTP through the edge, from a client's bytes to an app's and back.
"""

from __future__ import annotations

from collections.abc import Callable

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

GET = b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n"

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"


def get(host: bytes, target: bytes = b"/") -> bytes:
    """
    @return: a request for a host.
    """
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host)


@onBothTransports
class ConnectionTests(EdgeTests):
    """
    Tests of clients' connections: which requests they carry, in which order.
    """

    async def test_keepAlive(self) -> None:
        """
        A connection carries several requests, on one connection to the app and
        to one instance.
        """
        app = webApp(answer())
        spawner = self.launch(app)
        peer = await self.connect()
        for target in (b"/1", b"/2", b"/3"):
            peer.write(GET % target)
            reply = await peer.answer()
            self.assertEqual((reply.status, reply.body), (200, b"ok"))
        self.assertEqual(app.targets(), [b"/1", b"/2", b"/3"])
        self.assertEqual((len(spawner.orders), len(app.peers)), (1, 1))

    async def test_otherHost(self) -> None:
        """
        A kept connection whose Host changes gets another route. The authority
        of an absolute target takes precedence over Host.
        """
        apps = {"a.example": webApp(answer(b"a")), "b.example": webApp(answer(b"b"))}
        self.launch(apps)
        peer = await self.connect()
        for data, body in (
            (get(b"a.example"), b"a"),
            (get(b"b.example"), b"b"),
            (get(b"b.example", b"http://A.example/x"), b"a"),
        ):
            peer.write(data)
            self.assertEqual((await peer.answer()).body, body)
        self.assertEqual(apps["a.example"].requests[1].target, b"/x")
        self.assertEqual(apps["a.example"].requests[1][b"host"], b"A.example")

    async def test_close(self) -> None:
        """
        C{Connection: close} is obeyed, and is not passed on to the app, whose
        connection is kept.
        """
        app = webApp(answer())
        self.launch(app)
        for _ in range(2):
            data = await self.talk(
                b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
            )
            self.assertIn(b"\r\nConnection: close\r\n", data)
            self.assertTrue(data.endswith(b"\r\n\r\nok"))
        self.assertEqual(app.requests[0].values(b"connection"), [])
        self.assertEqual(len(app.peers), 1)

    async def test_appCloses(self) -> None:
        """
        When an app closes its connection, the edge keeps the client's.
        """
        app = webApp(answer(fields=[b"Connection: close"]))
        self.launch(app)
        peer = await self.connect()
        for _ in range(2):
            peer.write(GET % b"/")
            reply = await peer.answer()
            self.assertEqual((reply.body, reply.values(b"connection")), (b"ok", []))
        self.assertEqual(len(app.peers), 2)

    async def test_bytewise(self) -> None:
        """
        Requests and responses may arrive byte by byte.
        """

        async def respond(request: Message, peer: Peer) -> None:
            for byte in CHUNKED + b"\r\n":
                peer.write(bytes([byte]))
                await self.soon()

        app = webApp(respond)
        self.launch(app)
        peer = await self.connect()
        data = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nxyz"
        for byte in data:
            peer.write(bytes([byte]))
            await self.soon()
        self.assertEqual((await peer.answer()).body, b"abcde")
        self.assertEqual(app.requests[0].body, b"xyz")


@onBothTransports
class WithoutBodyTests(EdgeTests):
    """
    Tests of responses that have no body, whatever their fields say.
    """

    async def test_head(self) -> None:
        """
        The response to a HEAD has the length but no body, and the next request
        is served.
        """

        async def respond(request: Message, peer: Peer) -> None:
            reply = answer(b"hello")
            peer.write(reply[:-5] if request.method == b"HEAD" else reply)

        app = webApp(respond)
        self.launch(app)
        peer = await self.connect()
        peer.write(b"HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n", GET % b"/")
        reply = await peer.answer(b"HEAD")
        self.assertEqual((reply.status, reply[b"content-length"]), (200, b"5"))
        self.assertEqual((await peer.answer()).body, b"hello")
        self.assertEqual(len(app.peers), 1)

    async def test_headOfError(self) -> None:
        """
        The edge's own error response to a HEAD has no body.
        """
        self.launch(webApp(answer()), routes=["b.example"])
        peer = await self.connect()
        peer.write(b"HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n", GET % b"/")
        self.assertEqual((await peer.answer(b"HEAD")).status, 404)
        self.assertEqual((await peer.answer()).body, b"no such app\n")

    async def test_noContentNotModified(self) -> None:
        """
        204 and 304 have no body, and the connections are kept.
        """
        replies = [
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
            answer(),
        ]

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(replies.pop(0))

        app = webApp(respond)
        self.launch(app)
        peer = await self.connect()
        peer.write((GET % b"/") * 3)
        self.assertEqual([(await peer.answer()).status for _ in range(3)], [204, 304, 200])
        self.assertEqual(len(app.peers), 1)


@onBothTransports
class OldClientTests(EdgeTests):
    """
    Tests of clients that speak HTTP/1.0.
    """

    async def test_close(self) -> None:
        """
        The connection ends with the response. A request without a Host goes to the default
        route. The app sees one of HTTP/1.1, and keeps its connection for the next client.
        """
        # Its own Date, so that both answers have the same.
        app = webApp(answer(fields=[b"Date: Sun, 06 Nov 1994 08:49:37 GMT"]))
        spawner = self.launch(app)
        data = await self.talk(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(data.endswith(b"\r\n\r\nok"), data)
        self.assertIn(b"\r\nConnection: close\r\n", data)
        self.assertEqual(app.requests[0].line, b"GET / HTTP/1.1")
        self.assertEqual(app.requests[0][b"host"], b"default")
        self.assertEqual(app.requests[0][b"via"], b"1.0 brxy")
        self.assertEqual(await self.talk(b"HEAD / HTTP/1.0\r\n\r\n"), data[:-2])
        self.assertEqual(len(app.peers), 1)
        self.assertEqual([order.route for order in spawner.orders], ["default"])

    async def test_keepAlive(self) -> None:
        """
        A client that requests it may keep its connection, and so does the app, which gets
        no Connection field.
        """
        app = webApp(answer())
        self.launch(app)
        peer = await self.connect()
        for _ in range(3):
            peer.write(b"GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n")
            reply = await peer.answer()
            self.assertEqual((reply.body, reply[b"connection"]), (b"ok", b"keep-alive"))
        self.assertEqual([request.values(b"connection") for request in app.requests], [[]] * 3)
        self.assertEqual(len(app.peers), 1)

    async def test_chunked(self) -> None:
        """
        A chunked response reaches the client without chunks, and ends with the
        connection.
        """
        self.launch(webApp(CHUNKED + b"X-Sum: 1\r\n\r\n"))
        data = await self.talk(
            b"GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n"
        )
        head, _, body = data.partition(b"\r\n\r\n")
        self.assertEqual(body, b"abcde")
        self.assertNotIn(b"transfer-encoding", head.lower())
        self.assertIn(b"\r\nConnection: close", head)

    async def test_brokenOff(self) -> None:
        """
        A response that breaks off resets the client's connection: its end would end a
        complete response. The client gets what came before.
        """
        for fields, begun in (
            (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n2\r\nd"),
            (b"Content-Length: 9\r\n", b"abcd"),
        ):
            for end in (Peer.close, Peer.abort):
                await self._checkBroken(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + begun, end)

    async def _checkBroken(self, begun: bytes, end: Callable[[Peer], None]) -> None:
        async def respond(request: Message, peer: Peer) -> None:
            peer.write(begun)
            await client.until(lambda: client.received.endswith(b"abcd"))
            end(peer)

        self.launch(webApp(respond))
        client = await self.connect()
        client.write(b"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
        self.assertTrue((await client.untilEnd()).endswith(b"\r\n\r\nabcd"))
        await client.untilLost()
        self.assertFalse(client.clean, client.lost)
        await self.edge.stopService()

    async def test_expect(self) -> None:
        """
        The client gets no 100, and the app does not see that it expects one.
        """
        app = webApp(answer())
        self.launch(app)
        data = await self.talk(
            b"POST / HTTP/1.0\r\nHost: a.example\r\nExpect: 100-continue\r\n"
            b"Content-Length: 2\r\n\r\nab"
        )
        self.assertTrue(data.startswith(b"HTTP/1.1 200 OK\r\n"), data)
        self.assertEqual((app.requests[0].values(b"expect"), app.requests[0].body), ([], b"ab"))

    async def test_interim(self) -> None:
        """
        The client gets no interim response.
        """
        self.launch(webApp(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer()))
        data = await self.talk(b"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
        self.assertTrue(data.startswith(b"HTTP/1.1 200 OK\r\n"), data)


@onBothTransports
class BodyTests(EdgeTests):
    """
    Tests of bodies, and of interim responses before them.
    """

    async def test_blanksInExtensions(self) -> None:
        """
        Chunk extensions with white space around their signs are removed, in requests and in
        responses; others pass.
        """
        body = b"3 ; x = y\r\nabc\r\n2;x=y\r\nde\r\n0 ;z\r\n\r\n"
        passed = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        app = webApp(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        self.launch(app)
        reply = await self.ask(
            b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        )
        self.assertTrue(app.requests[0].raw.endswith(b"\r\n\r\n" + passed), app.requests[0].raw)
        self.assertTrue(reply.raw.endswith(b"\r\n\r\n" + passed), reply.raw)

    async def test_chunked(self) -> None:
        """
        Chunked bodies pass unchanged in both directions, with trailers, except
        trailer fields that affect framing or routing.
        """
        trailers = b"X-Sum: 1\r\nContent-Length: 9\r\nHost: b\r\nX-Forwarded-For: x\r\n\r\n"
        app = webApp(CHUNKED + trailers)
        self.launch(app)
        peer = await self.connect()
        body = b"4\r\nwxyz\r\n00\r\n"
        for _ in range(2):
            peer.write(
                b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
                body + trailers,
            )
            reply = await peer.answer()
            kept = b"\r\nX-Sum: 1\r\n\r\n"
            self.assertTrue(reply.raw.endswith(b"2;x=y\r\nde\r\n0" + kept), reply.raw)
            seen = app.requests[-1].raw
            self.assertTrue(seen.endswith(b"\r\n\r\n4\r\nwxyz\r\n00" + kept), seen)

    async def test_expectContinue(self) -> None:
        """
        For a body that is not collected, 100 Continue comes from the app: a held client gets
        none.
        """

        async def expecting(peer: Peer) -> None:
            head = await peer.head()
            self.assertEqual(head[b"expect"], b"100-continue")
            peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.write(answer((await peer.body(head, 0)).body))

        spawner = self.launch(App(expecting), limits=Limits(request_buffer=0))
        spawner.holding = True
        peer = await self.connect()
        peer.write(
            b"POST / HTTP/1.1\r\nHost: a.example\r\n"
            b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        await self.until(lambda: spawner.orders)
        await self.soon(20)
        self.assertEqual(bytes(peer.received), b"")
        spawner.release()
        self.assertEqual((await peer.answer()).status, 100)
        peer.write(b"hello")
        self.assertEqual((await peer.answer()).body, b"hello")
        self.assertEqual(peer.received.count(b"HTTP/1.1 "), 2)

    async def test_interim(self) -> None:
        """
        All interim responses of the app pass.
        """
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: y\r\nY: z\r\n\r\n"
        self.launch(webApp(b"HTTP/1.1 102 Processing\r\n\r\n" + hint * 3 + answer()))
        peer = await self.connect()
        for _ in range(2):
            peer.write(GET % b"/")
            replies = [await peer.answer() for _ in range(5)]
            self.assertEqual([reply.status for reply in replies], [102, 103, 103, 103, 200])
            self.assertEqual(replies[1][b"link"], b"x")
            self.assertEqual(replies[1].values(b"y"), [])


@onBothTransports
class FieldsTests(EdgeTests):
    """
    Tests of the fields that the edge adds to heads and removes from them.
    """

    async def test_request(self) -> None:
        """
        The app learns about the client from fields that the client can't
        forge, and gets none of the fields that were meant for the edge alone.
        """
        app = webApp(answer())
        self.launch(app)
        await self.ask(
            b"GET / HTTP/1.1\r\nHost: A.example:8080\r\nX-Forwarded-For: 1.2.3.4\r\n"
            b"X-Forwarded-Proto: https\r\nX_Forwarded_Host: b\r\nForwarded: for=x\r\n"
            b"Connection: keep-alive, X-Mine, Host\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n"
            b"Proxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: h2c\r\n"
            b"Content_Length: 7\r\nX-Other: kept\r\nX-Other: twice\r\nVia: 1.0 before\r\n"
            b"Proxy-Authorization: Basic eDp5\r\n\r\n"
        )
        [request] = app.requests
        for name, values in (
            (b"host", [b"A.example:8080"]),
            (b"x-forwarded-for", [b"127.0.0.1"]),
            (b"x-forwarded-proto", [b"http"]),
            (b"x-forwarded-host", [b"A.example:8080"]),
            (b"via", [b"1.0 before", b"1.1 brxy"]),
            (b"proxy-authorization", [b"Basic eDp5"]),
            (b"x-other", [b"kept", b"twice"]),
        ):
            self.assertEqual(request.values(name), values, name)
        for gone in (
            b"x_forwarded_host forwarded connection x-mine keep-alive proxy-connection te upgrade "
            b"content_length"
        ).split():
            self.assertEqual(request.values(gone), [], gone)

    async def test_requestId(self) -> None:
        """
        The edge keeps a request's id, or makes one.
        """
        app = webApp(answer())
        self.launch(app)
        for line in (b"X-Request-ID: mine\r\n", b"", b""):
            await self.ask(b"GET / HTTP/1.1\r\nHost: a.example\r\n" + line + b"\r\n")
        mine, one, other = (request[b"x-request-id"] for request in app.requests)
        self.assertEqual(mine, b"mine")
        self.assertTrue(one and other and one != other)

    async def test_response(self) -> None:
        """
        The client gets the app's fields, except those for the edge alone, and
        a Via.
        """
        fields = [
            b"Connection: X-Mine",
            b"X-Mine: 1",
            b"Keep-Alive: timeout=5",
            b"Set-Cookie: a=1",
            b"Set-Cookie: b=2",
        ]
        self.launch(webApp(answer(fields=fields)))
        reply = await self.ask(GET % b"/")
        self.assertEqual(reply.values(b"set-cookie"), [b"a=1", b"b=2"])
        self.assertEqual(reply[b"via"], b"1.1 brxy")
        for gone in (b"connection", b"x-mine", b"keep-alive"):
            self.assertEqual(reply.values(gone), [], gone)


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@onBothTransports
class UpgradeTests(EdgeTests):
    """
    Tests of upgrades, in requests with a body and without one.
    """

    POST = b"POST / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n%b\r\n"
    CHUNKED = POST % b"Transfer-Encoding: chunked\r\n"

    async def test_switched(self) -> None:
        """
        The app gets the body and can switch, as the API of Docker does. From then on both
        send what they like.
        """

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(SWITCH)
            while True:
                peer.write(await peer.takeThrough(b"\n"))

        app = webApp(respond)
        self.launch(app)
        for head, body, content in (
            (self.POST % b"", b"", b""),
            (self.POST % b"Content-Length: 0\r\n", b"", b""),
            (self.POST % b"Content-Length: 5\r\n", b"hello", b"hello"),
            (self.POST % b"Content-Length: 100000\r\n", bytes(100_000), bytes(100_000)),
            (self.CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        ):
            for early in (len(body), 1, 0):
                client = await self.connect()
                client.write(head + body[:early])
                await self.soon(5)
                client.write(body[early:])
                self.assertIn(b" 101 ", await client.takeThrough(b"\r\n\r\n"), head)
                for line in (b"one\n", b"two\n"):
                    client.write(line)
                    self.assertEqual(await client.takeThrough(b"\n"), line)
                client.close()
                request = app.requests[-1]
                self.assertEqual(request.body, content)
                self.assertEqual(request[b"upgrade"], b"tcp")
                self.assertEqual(request[b"connection"], b"upgrade")

    async def test_switchedEarly(self) -> None:
        """
        An app may switch before the whole body has come, which then goes on to it before the
        new protocol. A body that proves to be invalid breaks the connection.
        """

        async def serve(peer: Peer) -> None:
            await peer.takeThrough(b"\r\n\r\n")
            peer.write(SWITCH)
            while True:
                peer.write(await peer.takeThrough(b"\n"))

        self.launch(App(serve))
        for data, good in ((b"0\r\n\r\nnew\n", True), (b"x\r\n", False)):
            client = await self.connect()
            client.write(self.CHUNKED)
            self.assertIn(b" 101 ", await client.takeThrough(b"\r\n\r\n"))
            client.write(b"2\r\nh\n\r\n")
            self.assertEqual(await client.takeThrough(b"\n"), b"2\r\n")
            self.assertEqual(await client.takeThrough(b"\n"), b"h\n")
            self.assertEqual(await client.takeThrough(b"\n"), b"\r\n")
            client.write(data)
            if good:
                self.assertEqual(await client.take(len(data)), data)
                client.close()
            else:
                self.assertEqual(await client.untilEnd(), b"")
                await client.untilLost()
                self.assertFalse(client.clean)

    async def test_notSwitched(self) -> None:
        """
        An app that does not switch answers as usual. If the request had a body, the app's
        connection is not used again: a parser may have taken the body for the new protocol or
        for a request.
        """
        app = webApp(answer())
        self.launch(app)
        client = await self.connect()
        for fields, body, count in (
            (b"", b"", 1),
            (b"Content-Length: 5\r\n", b"hello", 1),
            (b"", b"", 2),
            (b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\n\r\n", 2),
        ):
            # A PUT may be sent on any kept connection.
            client.write(self.POST.replace(b"POST", b"PUT") % fields + body)
            self.assertEqual((await client.answer()).status, 200)
            self.assertEqual(len(app.peers), count, fields)
        client.write(GET % b"/")
        self.assertEqual((await client.answer()).status, 200)
        self.assertEqual(len(app.peers), 3)


@onBothTransports
class RefusedTests(EdgeTests):
    """
    Tests of requests that the edge itself answers.
    """

    async def test_unknownRoute(self) -> None:
        """
        With C{--route}, other hosts get 404 and start nothing. The connection
        is kept unless the request has a body.
        """
        app = webApp(answer())
        spawner = self.launch(app, routes=["a.example"])
        peer = await self.connect()
        peer.write(get(b"b.example"), GET % b"/")
        self.assertEqual((await peer.answer()).status, 404)
        self.assertEqual((await peer.answer()).status, 200)
        peer.write(b"POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 5\r\n\r\nhello")
        reply = await peer.answer()
        self.assertEqual((reply.status, reply[b"connection"]), (404, b"close"))
        self.assertEqual(await peer.untilEnd(), b"")
        self.assertEqual([order.route for order in spawner.orders], ["a.example"])


@onBothTransports
class ConnectionTwoHopsTests(ConnectionTests):
    """
    Tests of clients' connections, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class WithoutBodyTwoHopsTests(WithoutBodyTests):
    """
    Tests of responses without body, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class OldClientTwoHopsTests(OldClientTests):
    """
    Tests of HTTP/1.0, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class UpgradeTwoHopsTests(UpgradeTests):
    """
    Tests of upgrades, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class BodyTwoHopsTests(BodyTests):
    """
    Tests of bodies, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class FieldsTwoHopsTests(FieldsTests):
    """
    Tests of fields, with a node between edge and app.
    """

    spawner_type = NodeSpawner
