"""
Tests of routes that have only some paths of a host.
"""

from __future__ import annotations

from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"


def get(target: bytes, fields: bytes = b"") -> bytes:
    """
    @return: a request.
    """
    return b"GET %b HTTP/1.1\r\nHost: shop\r\n%b\r\n" % (target, fields)


@onBothTransports
class PathTests(EdgeTests):
    """
    Tests of one host, some paths of which belong to other routes.
    """

    def launchAll(self, **apps: App) -> None:
        """
        Start an edge with the routes C{shop}, C{api} and C{admin}.
        """
        usual = {name: webApp(answer(name.encode())) for name in ("shop", "api", "admin")}
        self.apps = {**usual, **apps}
        self.spawner = self.launch(
            self.apps,
            aliases={"api": "", "admin": ""},
            routed=[
                RoutedHosts("api", ["shop"], RouteSettings(paths=[b"/api"], strip_prefix=True)),
                RoutedHosts("admin", ["shop"], RouteSettings(paths=[b"/api/admin"])),
            ],
        )

    async def test_kept(self) -> None:
        """
        Each request of a connection goes to its own route, also behind a body and of those that
        are sent ahead.
        """
        self.launchAll()
        peer = await self.connect()
        post = b"POST /api/x HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc"
        peer.write(get(b"/api/1?a=/") + post + get(b"/") + get(b"/api/admin/x") + get(b"/apis"))
        for name in (b"api", b"api", b"shop", b"admin", b"shop"):
            self.assertEqual((await peer.answer()).body, name)
        self.assertEqual(self.apps["api"].targets(), [b"/1?a=/", b"/x"])
        self.assertEqual(self.apps["shop"].targets(), [b"/", b"/apis"])
        self.assertEqual(self.apps["admin"].targets(), [b"/api/admin/x"])
        first, second = self.apps["api"].requests
        self.assertEqual(first.values(b"x-forwarded-prefix"), [b"/api"])
        self.assertEqual((first[b"host"], second.body), (b"shop", b"abc"))
        self.assertEqual(self.apps["admin"].requests[0].values(b"x-forwarded-prefix"), [])
        self.assertEqual(len(self.spawner.orders), 3)

    async def test_forms(self) -> None:
        """
        A target in absolute form has a path like any other, and C{*} has none.
        """
        self.launchAll()
        peer = await self.connect()
        for request, name in (
            (get(b"http://shop/api/x"), b"api"),
            (get(b"http://shop"), b"shop"),
            (b"OPTIONS * HTTP/1.1\r\nHost: shop\r\n\r\n", b"shop"),
            (b"GET /api HTTP/1.0\r\nHost: shop\r\nConnection: keep-alive\r\n\r\n", b"api"),
            (get(b"/api", b"X-Forwarded-Prefix: /evil\r\nX_Forwarded_Prefix: /evil\r\n"), b"api"),
        ):
            peer.write(request)
            self.assertEqual((await peer.answer()).body, name)
        self.assertEqual(self.apps["api"].targets(), [b"/x", b"/", b"/"])
        last = self.apps["api"].requests[-1]
        self.assertEqual(last.values(b"x-forwarded-prefix"), [b"/api"])
        self.assertNotIn(b"evil", b"".join(value for _, value in last.fields))

    async def test_upgrade(self) -> None:
        """
        A connection that is upgraded belongs to the app of its path.
        """

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(SWITCH + request.target)

        self.launchAll(api=webApp(respond))
        peer = await self.connect()
        peer.write(get(b"/api/ws", b"Upgrade: echo\r\nConnection: Upgrade\r\n"))
        self.assertIn(b" 101 ", await peer.takeThrough(b"\r\n\r\n"))
        self.assertEqual(await peer.take(3), b"/ws")

    async def test_hostile(self) -> None:
        """
        A path that an app may read as one of another route wakes nothing: the answer is a 400,
        and the connection goes on.
        """
        self.launchAll()
        peer = await self.connect()
        for target in (
            *(b"/api/../admin", b"/x/%2e%2e/api/admin", b"/api/..;/x", b"//api/admin", b"/%61pi"),
            *(
                b"/api%2fadmin",
                b"/api/admin%2f",
                b"/api\\admin",
                b"/api//admin",
                b"/api/%2561dmin",
            ),
            *(b"/api//evil.example", b"/api/%2f/evil.example", b"/api/.", b"/."),
        ):
            peer.write(get(target))
            reply = await peer.answer()
            self.assertEqual((reply.status, reply.body), (400, b"ambiguous path\n"), target)
        self.assertEqual(self.spawner.orders, [])
        for host in (b"api", b"admin"):
            # With a spawner for all hosts, each other name would be served.
            reply = await self.ask(b"GET /api HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
            self.assertEqual(reply.status, 404)
        self.assertEqual(self.spawner.orders, [])
        peer.write(get(b"/api/a%2Fb;c//d"))
        self.assertEqual((await peer.answer()).body, b"api")
        self.assertEqual(self.apps["api"].targets(), [b"/a%2Fb;c//d"])


class NodePathTests(PathTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner
