"""
Tests of the rules of RFC 9110 for proxies and gateways, with bytes that pass through an edge.
C{doc/hostile.rst} lists all rules; other tests there prove the rest.
"""

from __future__ import annotations

import gzip

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.exchanges import refusals
from brxy.edge.exchanges.refusals import Refusal
from brxy.errors import BadRequest
from brxy.http.messages import MAX_FIELDS
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.passing import PassingTests, request
from brxy.test.support.loopback.peers import App, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.test.support.memory import heads

CHUNKED = b"Transfer-Encoding: chunked\r\n"
TRAILERS = b"1\r\na\r\n0\r\nX-Sum: 1\r\nX-Hop: 2\r\n\r\n"


@onBothTransports
class FieldsTests(PassingTests):
    """
    Tests of fields in general (§5 and §7.6).
    """

    async def test_unknown(self) -> None:
        """
        §5.1: fields that the edge does not know are passed on, in both directions.
        """
        lines = [b"X-Unknown: 1", b"!#$%&'*+-.^_`|~: t", b"Priority: u=1", b"Close: x"]
        sent, received = await self.passed(
            request(b"".join(line + b"\r\n" for line in lines)), answer(fields=lines)
        )
        for line in lines:
            self.assertIn(b"\r\n%b\r\n" % line, sent.raw)
            self.assertIn(b"\r\n%b\r\n" % line, received.raw)

    async def test_order(self) -> None:
        """
        §5.3: lines of the same name keep their order, with those of other names between them.
        """
        lines = [b"X-A: 2", b"Set-Cookie: b=2", b"x-a: 1", b"Set-Cookie: a=1", b"X-A: 3, 0"]
        sent, received = await self.passed(
            request(b"".join(line + b"\r\n" for line in lines)), answer(fields=lines)
        )
        for message in (sent, received):
            self.assertEqual(message.values(b"x-a"), [b"2", b"1", b"3, 0"])
            self.assertEqual(message.values(b"set-cookie"), [b"b=2", b"a=1"])

    async def test_once(self) -> None:
        """
        §5.3: the edge adds no second line to one whose field may have only one value.
        """
        twice = b"X-Forwarded-Proto: ftp\r\nX-Forwarded-Host: b\r\nX-Request-ID: i\r\n" * 2
        sent, received = await self.passed(
            request(twice), answer(fields=[b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Server: x"])
        )
        for name in (b"host", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id"):
            self.assertEqual(len(sent.values(name)), 1, name)
        self.assertEqual(received[b"date"], b"Sun, 06 Nov 1994 08:49:37 GMT")
        self.assertEqual(received[b"server"], b"x")

    async def test_wholeHead(self) -> None:
        """
        §5.3: nothing happens to a request before all of its fields have come.
        """
        app = webApp(answer())
        spawner = self.launch(app)
        client = await self.connect()
        client.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n")
        await self.untilRead()
        self.assertEqual(spawner.orders, [])
        client.write(b"X: y\r\n\r\na")
        self.assertEqual((await client.answer()).status, 200)
        self.assertEqual([each.body for each in app.requests], [b"a"])

    async def test_lists(self) -> None:
        """
        §5.6.1: empty members of a list count for nothing, and the edge writes none.
        """
        sent, received = await self.passed(
            request(
                b"Connection: ,, X-Hop ,\r\nConnection:\r\nConnection: ,upgrade, close\r\n"
                b"X-Hop: 1\r\nUpgrade: , a,,b/1 ,\r\nExpect: ,100-continue,\r\n",
                body=b"x",
            )
        )
        self.assertEqual(sent.values(b"x-hop"), [])
        self.assertEqual((sent[b"upgrade"], sent[b"connection"]), (b"a, b/1", b"upgrade"))
        self.assertEqual(received[b"connection"], b"close")

    async def test_connection(self) -> None:
        """
        §7.6.1: fields and trailers that Connection names are removed, with Connection itself,
        whatever the case of the letters.
        """
        hops = b"Connection: X-Hop\r\nX-HOP: 1\r\nconnection: KEEP-alive, y-hop\r\nY-Hop: 2\r\n"
        sent, received = await self.passed(
            request(hops + CHUNKED, b"POST / HTTP/1.1") + TRAILERS,
            b"HTTP/1.1 200 OK\r\n" + hops + CHUNKED + b"\r\n" + TRAILERS,
        )
        for message in (sent, received):
            self.assertNotIn(b"hop:", message.raw.lower())
            self.assertEqual(message.values(b"connection"), [])
            self.assertIn(b"\r\nX-Sum: 1\r\n", message.raw)

    async def test_ownOptions(self) -> None:
        """
        §7.6.1, §7.8, §10.1.4: what the edge sends for one hop alone is named by Connection, and
        it names nothing else.
        """
        for fields, expected in (
            (b"", []),
            (b"Connection: close, cache-control\r\nCache-Control: no-store\r\n", []),
            (b"Connection: keep-alive\r\nKeep-Alive: 5\r\n", []),
            (b"Connection: Upgrade\r\nUpgrade: x\r\n", [b"upgrade"]),
            (b"Connection: te\r\nTE: trailers, chunked, gzip;q=1\r\n", [b"TE"]),
            (b"TE: trailers\r\nUpgrade: x\r\n", []),
        ):
            sent, _ = await self.passed(request(fields))
            self.assertEqual(sent.values(b"connection"), expected, fields)
            for name, value in ((b"te", b"trailers"), (b"upgrade", b"x")):
                named = [value] if expected and expected[0].lower() == name else []
                self.assertEqual(sent.values(name), named, fields)


@onBothTransports
class RoutingTests(PassingTests):
    """
    Tests of the way of messages (§7).
    """

    async def test_host(self) -> None:
        """
        §7.2: the app gets one Host, as the client has sent it.
        """
        for host in (b"Example.COM:8080", b"a.b", b"[::1]:80", b"127.0.0.1"):
            sent, _ = await self.passed(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
            self.assertEqual(sent[b"host"], host)

    async def test_target(self) -> None:
        """
        §7.7: path and query are passed on byte by byte, and so is the name of the host.
        """
        for target in (b"//a/../b/./%2e%2F?x=%20&y=/../?;{}|", b"/?", b"/a//", b"/%zz\\'\"<>^`"):
            for form in (target, b"http://Some.Where.example" + target):
                sent, _ = await self.passed(request(line=b"GET %b HTTP/1.1" % form))
                self.assertEqual(sent.target, target)
        self.assertEqual(sent[b"host"], b"Some.Where.example")

    async def test_maxForwards(self) -> None:
        """
        §7.6.2, §9.3.7: an OPTIONS or TRACE goes on with one less, and not at all with 0, which
        the edge answers. It makes up no Max-Forwards, and leaves that of other methods alone.
        """
        field = b"Max-Forwards: %d\r\n"
        for method in (b"OPTIONS", b"TRACE"):
            sent, _ = await self.passed(request(field % 1, method + b" / HTTP/1.1"))
            self.assertEqual(sent[b"max-forwards"], b"0")
            sent, _ = await self.passed(request(b"", method + b" / HTTP/1.1"))
            self.assertEqual(sent.values(b"max-forwards"), [])
            number = len(self.app.requests)
            reply = await self.ask(request(field % 0, method + b" / HTTP/1.1"))
            self.assertEqual(reply.status, 200 if method == b"OPTIONS" else 405)
            self.assertIn(b"OPTIONS", reply[b"allow"])
            self.assertEqual(len(self.app.requests), number)
        sent, _ = await self.passed(request(field % 0))
        self.assertEqual(sent[b"max-forwards"], b"0")

    async def test_via(self) -> None:
        """
        §7.6.3: each message gets a member of Via behind those that it has, which stay as they
        are.
        """
        lines = b"Via: 1.0 a, 1.1 b (x)\r\nVia: 1.1 b\r\n"
        sent, received = await self.passed(request(lines), answer(fields=lines.splitlines()))
        for message in (sent, received):
            self.assertEqual(message.values(b"via"), [b"1.0 a, 1.1 b (x)", b"1.1 b", b"1.1 brxy"])

    async def test_content(self) -> None:
        """
        §7.7: no content is transformed, with C{no-transform} or without.
        """
        body = gzip.compress(b"content " * 100)
        fields = [b"Content-Encoding: gzip", b"Content-Type: text/html", b'ETag: "x"']
        for extra in ([b"Cache-Control: no-transform"], [], [b"Vary: Accept-Encoding"]):
            sent, received = await self.passed(
                request(b"Content-Encoding: gzip\r\n", b"PUT / HTTP/1.1", body),
                answer(body, fields=fields + extra),
            )
            self.assertEqual((sent.body, received.body), (body, body))
            self.assertEqual(sent[b"content-encoding"], b"gzip")
            for line in fields + extra:
                self.assertIn(b"\r\n%b\r\n" % line, received.raw)

    async def test_upgradeOfOldClient(self) -> None:
        """
        §7.8: Upgrade in a request of HTTP/1.0 is ignored.
        """
        sent, received = await self.passed(
            request(b"Connection: upgrade\r\nUpgrade: x\r\n", b"GET / HTTP/1.0")
        )
        self.assertEqual((sent.values(b"upgrade"), sent.values(b"connection")), ([], []))
        self.assertEqual(received.status, 200)

    async def test_continueBeforeSwitch(self) -> None:
        """
        §7.8: a client that expects a 100 gets it before the 101.
        """

        async def serve(peer: Peer) -> None:
            head = await peer.head()
            if head.values(b"expect"):
                peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await peer.body(head, 0)
            peer.write(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
            await peer.untilEnd()

        self.launch(App(serve))
        client = await self.connect()
        data = request(
            b"Connection: upgrade\r\nUpgrade: x\r\nExpect: 100-continue\r\n",
            b"POST / HTTP/1.1",
            b"hello",
        )
        client.write(data[:-5])
        self.assertEqual((await client.answer()).status, 100)
        client.write(data[-5:])
        self.assertEqual((await client.answer()).status, 101)

    async def test_upgradeRequired(self) -> None:
        """
        §7.8, §15.5.22: a 426 says what to upgrade to. In another response, that is for the
        app's connection alone.
        """
        fields = [b"Upgrade: websocket", b"Connection: Upgrade"]
        for status, upgrade, connection in (
            (b"426 Upgrade Required", [b"websocket"], [b"upgrade"]),
            (b"200 OK", [], []),
        ):
            _, received = await self.passed(request(), answer(status=status, fields=fields))
            self.assertEqual(received.values(b"upgrade"), upgrade)
            self.assertEqual(received.values(b"connection"), connection)


@onBothTransports
class SemanticsTests(PassingTests):
    """
    Tests of methods, statuses, and what belongs to them (§6, §9, §10, §11, §15).
    """

    async def test_date(self) -> None:
        """
        §6.6.1: a response without a Date gets one, and so do the edge's own.
        """
        form = rb"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$"
        for version in (b"1.1", b"1.0"):
            _, received = await self.passed(request(b"", b"GET / HTTP/" + version))
            self.assertRegex(received[b"date"], form)
        own = await self.ask(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(own.status, 400)
        self.assertRegex(own[b"date"], form)
        dated = [b"date: whatever"]
        _, received = await self.passed(request(), answer(fields=dated))
        self.assertEqual(received[b"date"], b"whatever")

    async def test_trailers(self) -> None:
        """
        §6.5.1: trailers stay trailers; those that may not be any are dropped.
        """
        body = b"1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nSet-Cookie: a\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n" + CHUNKED + b"\r\n"
        _, received = await self.passed(request(), head + body)
        self.assertEqual(received[b"trailer"], b"X-Sum")
        self.assertEqual(received.values(b"x-sum"), [])
        self.assertTrue(received.raw.endswith(b"\r\n0\r\nX-Sum: 1\r\n\r\n"))
        self.reply = head + body
        received = await self.ask(request(b"", b"GET / HTTP/1.0"))
        self.assertEqual((received.body, received.values(b"x-sum")), (b"a", []))

    async def test_methods(self) -> None:
        """
        §7.6, §9.1: any method is passed on, as it is.
        """
        for method in (b"GET", b"HEAD", b"DELETE", b"PROPFIND", b"get", b"M-SEARCH", b"QUERY"):
            sent, received = await self.passed(
                request(b"", method + b" /x HTTP/1.1"),
                answer(b""),
                method,
            )
            self.assertEqual((sent.method, received.status), (method, 200))

    async def test_statuses(self) -> None:
        """
        §7.6, §15: statuses that the edge does not know are passed on, by their class.
        """
        for status in (b"299 A", b"399 B", b"418 I'm a teapot", b"499 \xe9", b"599 ", b"799 C"):
            _, received = await self.passed(request(), answer(status=status))
            self.assertEqual(received.line, b"HTTP/1.1 " + status)
            self.assertEqual(received.body, b"ok")
        _, received = await self.passed(request(), b"HTTP/1.1 199 X\r\n\r\n" + answer())
        self.assertEqual(received.status, 199)

    async def test_expect(self) -> None:
        """
        §10.1.1: a request whose client waits for a 100 goes to the app, which sends it.
        """
        body = bytes(100_000)

        async def serve(peer: Peer) -> None:
            head = await peer.head()
            self.assertEqual(head[b"expect"], b"100-continue")
            peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.write(answer(b"%d" % len((await peer.body(head, 0)).body)))

        self.launch(App(serve))
        client = await self.connect()
        data = request(b"Expect: 100-continue\r\n", b"POST / HTTP/1.1", body)
        client.write(data[: -len(body)])
        self.assertEqual((await client.answer()).status, 100)
        client.write(body)
        self.assertEqual((await client.answer()).body, b"100000")

    async def test_finalBehindContinue(self) -> None:
        """
        §10.1.1: behind a 100 comes a final response, even if the app sends none.
        """

        async def serve(peer: Peer) -> None:
            await peer.head()
            peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await client.until(lambda: client.received)

        self.launch(App(serve), retries=0)
        client = await self.connect()
        client.write(request(b"", b"POST / HTTP/1.1", b"hello"))
        self.assertEqual((await client.answer()).status, 100)
        self.assertEqual((await client.answer()).status, 502)

    async def test_allow(self) -> None:
        """
        §10.2.1: Allow is passed on as it is.
        """
        for status in (b"405 Method Not Allowed", b"200 OK"):
            _, received = await self.passed(
                request(), answer(status=status, fields=[b"Allow: get,, BREW , GET"])
            )
            self.assertEqual(received[b"allow"], b"get,, BREW , GET")

    async def test_authentication(self) -> None:
        """
        §11.6, §11.7: challenges and credentials are passed on as they are.
        """
        credentials = [b"Authorization: Basic eDp5", b"Proxy-Authorization: x  y"]
        challenges = [
            b'WWW-Authenticate: A realm="x, y", B',
            b"WWW-Authenticate: C",
            b"Proxy-Authenticate: D",
            b"Authentication-Info: e",
        ]
        sent, received = await self.passed(
            request(b"".join(line + b"\r\n" for line in credentials)),
            answer(status=b"401 Unauthorized", fields=challenges),
        )
        for message, lines in ((sent, credentials), (received, challenges)):
            for line in lines:
                self.assertIn(b"\r\n%b\r\n" % line, message.raw)

    async def test_partial(self) -> None:
        """
        §13.2.1, §14.2, §15.3.7: ranges and preconditions are passed on as they are, and so is
        what they get.
        """
        asked = [b"Range: bytes=0-1,5-", b'If-Range: "x"', b"If-Match: *"]
        for status, fields in (
            (b"206 Partial Content", [b"Content-Range: bytes 0-1/5", b'ETag: W/"x"']),
            (b"206 Partial Content", [b"Content-Type: multipart/byteranges; boundary=b"]),
            (b"416 Range Not Satisfiable", [b"Content-Range: bytes */5"]),
            (b"412 Precondition Failed", []),
        ):
            sent, received = await self.passed(
                request(b"".join(line + b"\r\n" for line in asked)),
                answer(status=status, fields=fields),
            )
            self.assertEqual(received.line, b"HTTP/1.1 " + status)
            for message, lines in ((sent, asked), (received, fields)):
                for line in lines:
                    self.assertIn(b"\r\n%b\r\n" % line, message.raw)

    async def test_notModified(self) -> None:
        """
        §15.4.5: a 304 keeps the fields that a 200 would have.
        """
        fields = [
            b"Content-Location: /x",
            b"Date: Sun, 06 Nov 1994 08:49:37 GMT",
            b'ETag: "x"',
            b"Vary: *",
            b"Cache-Control: max-age=1",
            b"Expires: 0",
            b"Content-Length: 7",
        ]
        reply = b"\r\n".join((b"HTTP/1.1 304 Not Modified", *fields, b"", b""))
        sent, received = await self.passed(request(b'If-None-Match: "x"\r\n'), reply)
        self.assertEqual(sent[b"if-none-match"], b'"x"')
        for line in fields:
            self.assertIn(b"\r\n%b\r\n" % line, received.raw)


@onBothTransports
class FieldsTwoHopsTests(FieldsTests):
    """
    Tests of fields in general, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class RoutingTwoHopsTests(RoutingTests):
    """
    Tests of the way of messages, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class SemanticsTwoHopsTests(SemanticsTests):
    """
    Tests of methods and statuses, with a node between edge and app.
    """

    spawner_type = NodeSpawner


class OwnTests(SynchronousTestCase):
    """
    Tests of what the edge does by itself.
    """

    def test_loop(self) -> None:
        """
        §7.6: a request that comes back to the edge again and again ends by itself, because it
        has more fields each time.
        """
        data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        for passes in range(MAX_FIELDS + 1):
            try:
                data = heads.forwarded(heads.request(data))
            except BadRequest as error:
                self.assertEqual(error.status, 431)
                self.assertGreater(passes, 20)
                return
        self.fail("it does not end")

    def test_statuses(self) -> None:
        """
        §15: the edge itself answers by no status that needs a field which it does not send, nor
        by 421, which is an app's.
        """
        all_refusals = [each for each in vars(refusals).values() if isinstance(each, Refusal)]
        self.assertGreater(len(all_refusals), 10)
        self.assertEqual(
            {each.status for each in all_refusals} - {404, 408, 413, 429, 502, 503, 504}, set()
        )
