"""
Tests of what routes change in requests and responses.
"""

from __future__ import annotations

from typing import Any

from brxy.edge.routing.fields import Headers, RequestHeaders, ResponseHeaders
from brxy.edge.routing.redirection import redirection
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

HEADERS = Headers(
    RequestHeaders(
        set=[(b"X-User", b"edge"), (b"X-Env", b"prod")],
        add=[(b"Accept", b"text/html")],
        remove=[b"Cookie"],
    ),
    ResponseHeaders(
        set=[(b"X-Frame-Options", b"DENY"), (b"Cache-Control", b"no-cache")],
        add=[(b"Set-Cookie", b"seen=1")],
        remove=[b"Server", b"X-Powered-By"],
    ),
)

APP = [
    *(b"Server: app/1.0", b"X-Powered-By: x", b"x-frame-options: ALLOWALL", b"Set-Cookie: a=b"),
    b"Connection: keep-alive, x-frame-options, x-other",
]


def get(fields: bytes = b"", target: bytes = b"/", host: bytes = b"shop") -> bytes:
    """
    @return: a request.
    """
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, host, fields)


@onBothTransports
class HeaderTests(EdgeTests):
    """
    Tests of header fields that a route adds, sets and removes.
    """

    def launchWith(self, app: App, headers: Headers = HEADERS, **settings: Any) -> None:
        """
        Start an edge for an app, one of whose hosts changes headers.
        """
        routed = [RoutedHosts("shop", ["shop"], RouteSettings(headers=headers))]
        self.spawner = self.launch(app, routed=routed, **settings)

    async def test_request(self) -> None:
        """
        The app gets the changed fields.  Whatever the client sends, a field that is set has one
        value, in each spelling that WSGI takes for it.
        """
        app = webApp(answer())
        self.launchWith(app)
        peer = await self.connect()
        for fields in (
            b"",
            b"X-User: a\r\nx-user: b\r\nX_User: c\r\nx_USER: d\r\nCookie: x=y\r\nAccept: */*\r\n",
            b"Connection: X-User, X-Env, Accept, Host\r\nX-Env: dev\r\n",
            b"Connection: x-user\r\nX-User: z\r\n",
        ):
            peer.write(get(fields))
            self.assertEqual((await peer.answer()).status, 200)
            request = app.requests[-1]
            for name, value in ((b"x-user", b"edge"), (b"x-env", b"prod")):
                self.assertEqual(request.values(name), [value], fields)
                self.assertEqual(request.values(name.replace(b"-", b"_")), [], fields)
            self.assertEqual(request.values(b"cookie"), [])
            self.assertEqual(request.values(b"accept")[-1], b"text/html")
            self.assertEqual(request.values(b"host"), [b"shop"])
        peer.write(get(b"Cookie: x=y\r\n", host=b"other"))
        await peer.answer()
        self.assertEqual(app.requests[-1].values(b"cookie"), [b"x=y"])
        self.assertEqual(app.requests[-1].values(b"x-user"), [])

    async def test_response(self) -> None:
        """
        The client gets the changed fields, also if it speaks HTTP/1.0, and the body as it was.
        """
        app = webApp(answer(b"body", fields=APP))
        self.launchWith(app)
        for request in (get(), get(), get().replace(b"1.1", b"1.0"), get(target=b"/x")):
            reply = await self.ask(request)
            self.assertEqual((reply.status, reply.body), (200, b"body"))
            self.assertEqual(reply.values(b"x-frame-options"), [b"DENY"])
            self.assertEqual(reply.values(b"set-cookie"), [b"a=b", b"seen=1"])
            self.assertEqual(reply.values(b"cache-control"), [b"no-cache"])
            self.assertEqual([*reply.values(b"server"), *reply.values(b"x-powered-by")], [])
            self.assertEqual((len(reply.values(b"date")), len(reply.values(b"via"))), (1, 1))
        reply = await self.ask(get(host=b"other"))
        self.assertEqual(reply.values(b"server"), [b"app/1.0"])

    async def test_chunked(self) -> None:
        """
        The framing of a response stays as it is, whatever is changed.
        """

        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

        async def respond(request: Any, peer: Any) -> None:
            peer.write(chunked)

        self.launchWith(webApp(respond))
        peer = await self.connect()
        for _ in range(2):
            peer.write(get())
            reply = await peer.answer()
            self.assertEqual((reply.body, reply.values(b"x-frame-options")), (b"abc", [b"DENY"]))

    async def test_own(self) -> None:
        """
        The edge's own answers for the route have the fields that are added and set, but for
        those that describe the answer.
        """
        self.launchWith(webApp(answer()), hold_timeout=0.05)
        self.spawner.holding = True
        reply = await self.ask(get())
        self.assertEqual(reply.status, 503)
        self.assertEqual(reply.values(b"x-frame-options"), [b"DENY"])
        self.assertEqual(reply.values(b"cache-control"), [b"no-store"])
        reply = await self.ask(get(host=b"other"))
        self.assertEqual(reply.values(b"x-frame-options"), [])

    async def test_recorded(self) -> None:
        """
        With receipts the same is changed.
        """
        app = webApp(answer(fields=APP))
        self.launchWith(app, receipts=True)
        reply = await self.ask(get(b"Cookie: a\r\n"))
        self.assertEqual(reply.values(b"x-frame-options"), [b"DENY"])
        self.assertEqual(reply.values(b"x-brxy-start"), [b"cold"])
        self.assertEqual(app.requests[0].values(b"cookie"), [])


class NodeHeaderTests(HeaderTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class RedirectTests(EdgeTests):
    """
    Tests of routes that redirect their clients.
    """

    async def test_redirect(self) -> None:
        """
        The edge answers, and nothing is started.  The connection is kept.
        """
        spawner = self.launch(
            webApp(answer()),
            routed=[
                RoutedHosts("a", ["a", "*.a"], RouteSettings(redirect=redirection("new.example"))),
                RoutedHosts(
                    "b",
                    ["b"],
                    RouteSettings(
                        paths=[b"/old"],
                        strip_prefix=True,
                        redirect=redirection("https://{host}:444/new{path}?by=edge"),
                        redirect_code=301,
                        headers=HEADERS,
                    ),
                ),
            ],
        )
        peer = await self.connect()
        for host, target, status, location in (
            (b"a", b"/x/%2F?a=b", 307, b"http://new.example/x/%2F?a=b"),
            (b"w.a", b"//evil.example", 307, b"http://new.example//evil.example"),
            (b"a", b"http://w.a/\\x", 307, b"http://new.example/\\x"),
            (b"b", b"/old", 301, b"https://b:444/new/?by=edge"),
            (b"b", b"/old/y?q", 301, b"https://b:444/new/y?by=edge"),
        ):
            peer.write(get(host=host, target=target))
            reply = await peer.answer()
            self.assertEqual((reply.status, reply.values(b"location")), (status, [location]))
        self.assertEqual(reply.values(b"x-frame-options"), [b"DENY"])
        self.assertEqual(spawner.orders, [])
        peer.write(get(host=b"b"))
        self.assertEqual((await peer.answer()).body, b"ok")
        post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        reply = await self.ask(post)
        self.assertEqual((reply.status, reply.values(b"connection")), (307, [b"close"]))
        data = await self.talk(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertTrue(data.startswith(b"HTTP/1.1 307 ") and data.endswith(b"\r\n\r\n"))
