"""
Tests of routes whose settings for requests change while the edge serves.
"""

from __future__ import annotations

from brxy.edge.routing.fields import Headers, RequestHeaders, ResponseHeaders
from brxy.edge.routing.redirection import redirection
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.test.support.loopback.edges import spawnRule
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import answer, webApp
from brxy.test.whole.test_changes import ChangeTestsBase


def get(target: bytes) -> bytes:
    """
    @return: a request.
    """
    return b"GET %b HTTP/1.1\r\nHost: shop\r\n\r\n" % target


@onBothTransports
class RequestChangeTests(ChangeTestsBase):
    """
    Tests of C{paths}, C{headers}, C{redirect} and C{hold-timeout}.
    """

    async def launchAll(self) -> None:
        """
        Start an edge with an app for each of two routes.
        """
        addresses = {
            name: self.startApp(webApp(answer(name.encode()))) for name in ("shop", "api")
        }
        self.spawner = self.spawner_type(self.edge_reactor, lambda order: addresses[order.route])
        self.start(spawnRule(self.spawner))
        await self.edge.reload()

    async def test_kept(self) -> None:
        """
        A connection that is open sees each change with its next request.  No instance is
        touched.
        """
        await self.launchAll()
        peer = await self.connect()

        async def ask(target: bytes) -> tuple[int, bytes, list[bytes]]:
            peer.write(get(target))
            reply = await peer.answer()
            return reply.status, reply.body, reply.values(b"x-a")

        self.assertEqual(await ask(b"/api"), (200, b"shop", []))
        path = RouteSettings(paths=[b"/api"])
        headers = RouteSettings(headers=Headers(response=ResponseHeaders(set=[(b"X-A", b"1")])))
        outcome = await self.change(
            aliases={"api": ""}, routed=[RoutedHosts("api", ["shop"], path)]
        )
        self.assertEqual(outcome.changes.settings, ("paths of api", "host"))
        self.assertEqual(await ask(b"/api"), (200, b"api", []))
        self.assertEqual(await ask(b"/x"), (200, b"shop", []))
        routed = [RoutedHosts("shop", ["shop"], headers), RoutedHosts("api", ["shop"], path)]
        outcome = await self.change(aliases={"api": ""}, routed=routed)
        self.assertEqual(outcome.changes.settings, ("headers of shop",))
        self.assertEqual(await ask(b"/api"), (200, b"api", []))
        self.assertEqual(await ask(b"/x"), (200, b"shop", [b"1"]))
        redirect = RouteSettings(redirect=redirection("b"))
        await self.change(aliases={}, routed=[RoutedHosts("shop", ["shop"], redirect)])
        self.assertEqual((await ask(b"/"))[0], 307)
        await self.change(aliases={}, routed=[])
        self.assertEqual(await ask(b"/api"), (200, b"shop", []))
        self.assertEqual([order.route for order in self.spawner.orders], ["shop", "api"])

    async def test_running(self) -> None:
        """
        A request that waits goes on as it began.
        """
        await self.launchAll()
        request = Headers(request=RequestHeaders(set=[(b"X-A", b"1")]))
        response = Headers(response=ResponseHeaders(set=[(b"X-A", b"1")]))
        await self.change(routed=[RoutedHosts("shop", ["shop"], RouteSettings(headers=response))])
        self.spawner.holding = True
        peer = await self.connect()
        peer.write(get(b"/"))
        await self.until(lambda: bool(self.spawner.orders))
        await self.change(routed=[RoutedHosts("shop", ["shop"], RouteSettings(headers=request))])
        self.spawner.release()
        self.assertEqual((await peer.answer()).values(b"x-a"), [b"1"])
        peer.write(get(b"/"))
        self.assertEqual((await peer.answer()).values(b"x-a"), [])

    async def test_holdTimeout(self) -> None:
        """
        A route has a hold timeout of its own, which also holds for those that wait when it
        becomes shorter.
        """
        own = [RoutedHosts("shop", ["shop"], RouteSettings(hold_timeout=0.05))]
        await self.launchAll()
        await self.change(routed=own)
        self.spawner.holding = True
        self.assertEqual((await self.ask(get(b"/"))).status, 503)
        await self.change(routed=[])
        peer, other = await self.connect(), await self.connect()
        peer.write(get(b"/"))
        other.write(get(b"/").replace(b"shop", b"api"))
        await self.until(lambda: self.edge.parts.dispatch.held("api") == 1)
        outcome = await self.change(routed=own)
        self.assertEqual(outcome.changes.settings, ("hold-timeout of shop",))
        self.assertEqual((await peer.answer()).status, 503)
        self.assertEqual(self.edge.parts.dispatch.held("api"), 1)
        self.spawner.release()
        self.assertEqual((await other.answer()).body, b"api")
