"""
Tests of the dashboard: in Chromium, with C{brxy dashboard} and a real edge.
"""

from __future__ import annotations

import re
import signal

from brxy.test.support.processes.dashboards import SHOP, DashboardBase

__all__ = ["LookTests", "PageTests"]


class PageTests(DashboardBase):
    """
    Tests of what the page shows and does.
    """

    def open(self, host: str) -> None:
        """
        Open a route by a click on its name.
        """
        self.browser.click(f"[data-route='{host}'] .name")

    async def test_coldStart(self) -> None:
        """
        Clients are held while an instance starts, and served when it is ready. The page shows
        that, with the values that the API has.
        """
        self.configure(SHOP)
        self.browse()
        address = await self.serving()
        relay, url = await self.relay()
        await self.opened(url)
        self.assertNotIn("token", self.browser.url)
        self.open(SHOP)
        answers = self.requests(address, 9)
        await self.until(lambda: self.shown()["routes"][SHOP]["held"] == "9")
        page = await self.agreed()
        self.assertEqual(page["routes"][SHOP]["state"], "held")
        self.assertEqual(page["facts"]["held"], "9")
        self.assertEqual(page["starts"], ["starting"] * 3)
        (self.folder / "go").touch()
        self.assertEqual({each.status for each in await answers}, {200})
        await self.until(lambda: self.shown()["starts"] == ["ready"] * 3)
        page = await self.agreed()
        self.assertEqual(page["routes"][SHOP]["instances"], "3 ready")
        told = re.compile(r"ready after \d+(\.\d+)? s, ready for ")
        await self.until(lambda: all(told.match(row[3]) for row in self.shown()["timeline"]))
        await self.until(lambda: sum("asked /" in each for each in self.shown()["log"]) == 9)
        await self.checkPlots()
        await self.picture("cold")
        self.assertEqual(self.browser.complaints(), [])
        relay.signal(signal.SIGINT)
        self.assertEqual((await self.ended(relay), relay.err), (-signal.SIGINT, ""))

    async def checkPlots(self) -> None:
        """
        Check that the plots have the values of the API's series.
        """
        await self.until(lambda: self.shown()["plots"]["Clients held"]["values"][0] == "0")
        self.browser.click("#freeze")
        plots = self.shown()["plots"]
        points = {each["time"]: each for each in self.api.get("/v1/series")["points"]}
        point = points[plots["Instances"]["time"]]
        states = [str(point["instances"][each]) for each in ("ready", "connected", "ordered")]
        self.assertEqual(plots["Instances"]["values"][:3], states)
        rates = [float(each) for each in plots["Requests a second"]["values"]]
        for shown, name in zip(rates, ("warm", "queued", "cold"), strict=True):
            self.assertApproximates(shown, point["requests"][name], 0.51)
        self.assertEqual(plots["Clients held"]["values"][0], str(point["held"]))
        self.browser.click("#freeze")

    async def test_roll(self) -> None:
        """
        The button of a roll replaces the instances, one at a time; the page says when that is
        done. It is used by the keyboard alone.
        """
        self.configure(SHOP, most=2)
        (self.folder / "go").touch()
        self.browse()
        await self.serving()
        _, url = await self.relay()
        await self.opened(url)
        self.api.post(f"/v1/routes/{SHOP}/wake", {"min": 2})
        before = {each["ticket"] for each in self.api.get("/v1/instances")["instances"]}
        await self.agreed()
        self.browser.press("/", *"shop")
        await self.until(lambda: self.shown()["order"] == [SHOP])
        self.browser.run("document.querySelector('#table .name').focus()")
        self.browser.press("Enter")
        self.assertFalse(self.browser.run("return document.getElementById('route').hidden"))
        self.browser.press("Escape")
        self.assertTrue(self.browser.run("return document.getElementById('route').hidden"))
        self.browser.press("Tab", "Tab", "Enter")
        await self.until(lambda: "roll is done: ready, 2 ready" in self.shown()["done"])
        self.browser.run(
            "const filter = document.getElementById('filter'); filter.value = '';"
            "filter.dispatchEvent(new Event('input'));"
        )
        page = await self.agreed()
        after = {each["ticket"] for each in self.api.get("/v1/instances")["instances"]}
        self.assertEqual((len(before), len(after), before & after), (2, 2, set()))
        self.assertEqual(len(page["timeline"]), 4)
        await self.until(lambda: "roll_started" in self.shown()["events"])
        await self.picture("roll")
        self.assertEqual(self.browser.complaints(), [])

    async def test_failing(self) -> None:
        """
        An app that ends instead of serving is shown with its last line, which stays text
        whatever is in it.
        """
        self.configure(SHOP)
        (self.folder / "fail").touch()
        self.browse()
        address = await self.serving("--hold-timeout", "4")
        _, url = await self.relay()
        await self.opened(url)
        self.open(SHOP)
        [answer] = await self.requests(address, 1)
        self.assertEqual(answer.status, 503)
        await self.until(lambda: "exit" in self.shown()["starts"])
        page = await self.agreed()
        line = "<img src=x onerror=document.title='run'>"
        self.assertIn(line, page["routes"][SHOP]["problem"])
        [failed, *_] = [row[3] for row in page["timeline"] if row[3].startswith("failed after ")]
        self.assertIn("exit status 3", failed)
        self.assertIn(line, failed)
        await self.until(lambda: any(line in each for each in self.shown()["log"]))
        self.assertIn("gone", page["events"])
        self.assertEqual(self.browser.run("return document.title"), "brxy")
        self.assertEqual(self.browser.run("return document.images.length"), 1)
        await self.picture("failing")
        self.assertEqual(self.browser.complaints(), [])

    async def test_many(self) -> None:
        """
        50 routes with 100 instances are shown as the API has them, can be filtered and sorted,
        and are drawn in time.
        """
        hosts = [f"app{number:02}.example.com" for number in range(50)]
        command = '["busybox", "httpd", "-f", "-p", "127.0.0.1:{port}"]'
        self.configure(*hosts, most=2, command=command)
        self.browse()
        await self.serving()
        _, url = await self.relay()
        for each in hosts:
            self.api.post(f"/v1/routes/{each}/wake?wait=false", {"min": 2})
        await self.opened(url)
        await self.until(
            lambda: self.api.get("/v1/status")["instances"]["ready"] == 100,
        )
        page = await self.agreed()
        self.assertEqual(page["facts"]["instances"], "100/100")
        self.assertEqual(len(page["timeline"]), 100)
        for each in hosts:
            self.assertEqual(page["routes"][each]["instances"], "2 ready")
        await self.picture("many", whole=False)
        self.browser.press("/", *"app1")
        await self.until(lambda: len(self.shown()["order"]) == 10)
        self.assertIn("10 of 5", self.shown()["count"])
        self.browser.click("#table th button")
        self.assertEqual(self.shown()["order"][0], "app19.example.com")
        self.assertEqual(self.browser.complaints(), [])


class LookTests(DashboardBase):
    """
    Tests of how the page looks, and of how it gets the token.
    """

    async def test_looks(self) -> None:
        """
        The page fits on a phone, and is dark where dark is preferred.
        """
        self.configure(SHOP)
        (self.folder / "go").touch()
        self.browse()
        address = await self.serving()
        _, url = await self.relay()
        await self.opened(url)
        await self.requests(address, 5)
        await self.agreed()
        self.browser.click(f"[data-route='{SHOP}'] .name")
        back = "return getComputedStyle(document.body).backgroundColor"
        light = self.browser.run(back)
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        for width in (390, 700, 1000, 1360):
            self.browser.look(width, 800)
            self.assertEqual(self.browser.run(wide), 0, width)
        self.browser.look(1360, 900, dark=True)
        self.assertNotEqual(self.browser.run(back), light)
        await self.picture("dark", dark=True)
        await self.picture("phone", 390, whole=False)
        self.assertEqual(self.browser.complaints(), [])

    async def test_direct(self) -> None:
        """
        The edge's own port serves the page; it asks for the token where the URL has none, and
        the tab keeps it.
        """
        self.configure(SHOP)
        self.browse()
        admin = "tcp:0:interface=127.0.0.1"
        await self.serving("--admin", admin, "--admin-token-file", "token")
        where = await self.said(self.program, r"admin API on (http://127\.0\.0\.1:\d+)")
        token = (self.folder / "token").read_text().strip()
        self.browser.open(where[1])
        hidden = "return document.getElementById('login').hidden"
        await self.until(lambda: not self.browser.run(hidden))
        self.browser.press(*"wrong", "Enter")
        await self.until(lambda: self.browser.run("return document.activeElement.id") == "token")
        self.browser.run("document.getElementById('token').value = ''")
        self.browser.press(*token, "Enter")
        await self.until(lambda: self.browser.run(hidden))
        await self.agreed()
        self.browser.open(where[1])
        await self.agreed()
        self.assertTrue(self.browser.run(hidden))
        self.assertEqual(self.browser.run("return document.cookie + localStorage.length"), "0")
