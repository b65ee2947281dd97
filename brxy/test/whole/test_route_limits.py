"""
Tests of what a route says of the bodies of its requests and of the edge's errors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brxy.edge.config.limits import Limits
from brxy.edge.routing.errorpages import errorPages
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

_BROWSER = b"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"


def post(host: bytes, fields: bytes, body: bytes = b"") -> bytes:
    """
    @return: a request with a body.
    """
    return b"POST / HTTP/1.1\r\nHost: %b\r\n%b\r\n%b" % (host, fields, body)


@onBothTransports
class MaxBodyTests(EdgeTests):
    """
    Tests of C{max-body} of routes.
    """

    def serve(self) -> None:
        """
        Start an edge that allows bodies of 100 bytes, with a route for 10 and one for any.
        """
        names = ("small", "large", "other")
        self.apps = {name: webApp(answer(name.encode())) for name in names}
        self.spawner = self.launch(
            self.apps,
            limits=Limits(max_body=100),
            routed=[
                RoutedHosts("small", ["small"], RouteSettings(max_body=10)),
                RoutedHosts("large", ["large"], RouteSettings(max_body=0)),
            ],
        )

    async def test_length(self) -> None:
        """
        A body that says that it is too long is refused before any byte of it is read. It wakes
        no app, and the connection is closed, since the body may still come.
        """
        self.serve()
        for host, length in ((b"small", 11), (b"other", 101), (b"small", 2**60)):
            peer = await self.connect()
            peer.write(post(host, b"Content-Length: %d\r\n" % length))
            reply = await peer.answer()
            self.assertEqual((reply.status, reply[b"connection"]), (413, b"close"))
            peer.end()
            await peer.untilEnd()
        expected = post(b"small", b"Content-Length: 11\r\nExpect: 100-continue\r\n")
        self.assertEqual((await self.ask(expected)).status, 413)
        self.assertEqual(self.spawner.orders, [])
        self.assertEqual([app.requests for app in self.apps.values()], [[], [], []])

    async def test_allowed(self) -> None:
        """
        A body that is as long as allowed passes, and its connection serves the next request.
        """
        self.serve()
        peer = await self.connect()
        for host, length in ((b"small", 10), (b"other", 100), (b"large", 1000), (b"small", 0)):
            peer.write(post(host, b"Content-Length: %d\r\n" % length, b"x" * length))
            reply = await peer.answer()
            self.assertEqual((reply.status, reply.body), (200, host))
        self.assertEqual([each.body for each in self.apps["small"].requests], [b"x" * 10, b""])

    async def test_chunked(self) -> None:
        """
        A chunked body is refused once it is too long, and its app does not get it as a whole.
        """
        self.serve()
        peer = await self.connect()
        peer.write(post(b"small", b"Transfer-Encoding: chunked\r\n", b"5\r\n12345\r\n"))
        await self.soon(5)
        peer.write(b"6\r\n123456\r\n0\r\n\r\n")
        reply = await peer.answer()
        self.assertEqual((reply.status, reply[b"connection"]), (413, b"close"))
        peer.end()
        await peer.untilEnd()
        self.assertEqual(self.apps["small"].requests, [])
        chunks = b"1f4\r\n%b\r\n0\r\n\r\n" % (b"x" * 500)
        reply = await self.ask(post(b"large", b"Transfer-Encoding: chunked\r\n", chunks))
        self.assertEqual(reply.body, b"large")

    async def test_next(self) -> None:
        """
        The limit of one request is not that of the next one on the connection.
        """
        self.serve()
        peer = await self.connect()
        long = post(b"large", b"Transfer-Encoding: chunked\r\n", b"c8\r\n%b\r\n0\r\n\r\n")
        peer.write(long % (b"x" * 200) + post(b"small", b"Content-Length: 11\r\n", b"x" * 11))
        self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual((await peer.answer()).status, 413)


class NodeMaxBodyTests(MaxBodyTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class ErrorPageTests(EdgeTests):
    """
    Tests of C{error-pages}.
    """

    def pages(self, **pages: str) -> Any:
        """
        @return: the pages of a folder.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        for each, text in pages.items():
            (folder / f"{each[1:]}.html").write_text(text)
        return errorPages(str(folder))

    def serve(self) -> None:
        """
        Start an edge with pages, and a route that has others.
        """
        own = self.pages(s503="<p>shop: later", s413="<p>shop: too long")
        self.common = self.pages(s404="<p>nothing here", s503="<p>later")
        apps = {"shop": webApp(answer(b"busy", b"503 Service Unavailable"))}
        self.spawner = self.launch(
            apps,
            {"pattern": "shop"},
            error_pages=self.common,
            routed=[RoutedHosts("shop", ["shop"], RouteSettings(max_body=1, error_pages=own))],
        )

    async def test_pages(self) -> None:
        """
        A browser gets the page of the route, else that of the edge; it is no cached page.
        """
        self.serve()
        too_long = b"Content-Length: 5\r\n" + _BROWSER
        for host, status, page in (
            (b"shop", 413, b"<p>shop: too long"),
            (b"nowhere.example", 404, b"<p>nothing here"),
        ):
            reply = await self.ask(post(host, too_long))
            self.assertEqual((reply.status, reply.body), (status, page))
            self.assertEqual(reply[b"content-type"], b"text/html; charset=utf-8")
            self.assertEqual(reply[b"cache-control"], b"no-store")

    async def test_head(self) -> None:
        """
        An answer to HEAD has the length of the page, and no body.
        """
        self.serve()
        request = b"HEAD / HTTP/1.1\r\nHost: nowhere.example\r\n%b\r\n" % _BROWSER
        reply = await self.ask(request, b"HEAD")
        self.assertEqual((reply[b"content-length"], reply.body), (b"15", b""))

    async def test_text(self) -> None:
        """
        A client that does not name HTML gets the reason as text, and so does one to whose
        request no page belongs.
        """
        self.serve()
        for accept in (b"", b"Accept: */*\r\n", b"Accept: application/json\r\n"):
            reply = await self.ask(b"GET / HTTP/1.1\r\nHost: nowhere.example\r\n%b\r\n" % accept)
            self.assertEqual((reply.status, reply.body), (404, b"no such app\n"))
        reply = await self.ask(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n%b\r\n" % _BROWSER)
        self.assertEqual((reply.status, reply[b"content-type"][:10]), (400, b"text/plain"))

    async def test_apps(self) -> None:
        """
        An error of an app is passed on as it is.
        """
        self.serve()
        reply = await self.ask(b"GET / HTTP/1.1\r\nHost: shop\r\n%b\r\n" % _BROWSER)
        self.assertEqual((reply.status, reply.body), (503, b"busy"))
