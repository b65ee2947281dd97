"""
Tests of an edge with a configuration file, as a real process.
"""

from __future__ import annotations

import re
import signal

from brxy.test.support.pages import ROOT
from brxy.test.support.processes.programs import DEMO, PYTHON, ProgramTests

_APP = f"""
kind = "app"
command = ["{PYTHON}", "{DEMO}"]
"""


class ConfigTests(ProgramTests):
    """
    Tests of C{--config}.
    """

    async def test_serves(self) -> None:
        """
        Routes of the file and of one that it includes are served, by each of their hosts.
        """
        (self.folder / "brxy.toml").write_text(
            f'[edge]\ninclude = "apps/*.toml"\n[route."a.example"]\n'
            f'[[route."a.example".spawn]]{_APP}env = {{ PYTHONUNBUFFERED = "1" }}\n'
        )
        (self.folder / "apps").mkdir()
        (self.folder / "apps" / "b.toml").write_text(
            f'[[route]]\nhost = ["b.example", "*.b.example"]\n[[route.spawn]]{_APP}'
        )
        edge = self.edge("--config", "brxy.toml")
        url = await self.address(edge)
        bodies = {}
        for host in ("a.example", "b.example", "www.b.example", "c.example"):
            answer = await self.get(url, host=host)
            bodies[host] = (answer.status, answer.body.split(",")[0])
        self.assertEqual(bodies["a.example"][0], 200)
        self.assertEqual(bodies["b.example"], bodies["www.b.example"])
        self.assertNotEqual(bodies["a.example"], bodies["b.example"])
        self.assertEqual(bodies["c.example"][0], 404)

    async def test_requests(self) -> None:
        """
        The example of routes with paths, headers and a redirect does what the page says.
        """
        text = (ROOT / "examples" / "brxy.d" / "shop-api.toml").read_text()
        [command] = re.findall(r"^command = .*", text, re.MULTILINE)
        text = text.replace(command, f'command = ["{PYTHON}", "{DEMO}"]')
        shop = f'[route."shop.example.com"]\n[[route."shop.example.com".spawn]]{_APP}'
        (self.folder / "brxy.toml").write_text(text + shop)
        edge = self.edge("--config", "brxy.toml")
        url = await self.address(edge)

        async def ask(path: str, host: str = "shop.example.com") -> str:
            answer = await self.get(url, path, host=host)
            return f"{answer.head}\n{answer.body}"

        for path, seen in (("/", "/"), ("/api/x", "/x"), ("/v2?y", "/?y"), ("/apis", "/apis")):
            said = await ask(path)
            self.assertIn(f"\nGET {seen}\nHost: shop.example.com\n", said)
            own = "Cache-Control: no-store" in said and "X-Frame-Options: DENY" in said
            self.assertIs(own, path != seen)
        self.assertRegex(await ask("/x/../api"), "^HTTP/1.1 400 ")
        self.assertRegex(await ask("/", "shop-api"), "^HTTP/1.1 404 ")
        moved = await ask("/x?y", "shop.example.net")
        self.assertRegex(
            moved, "^HTTP/1.1 301 (?s:.*)\r\nLocation: http://shop.example.com/x\\?y\r"
        )

    async def test_reload(self) -> None:
        """
        After SIGHUP a route that was added is served, and one whose file is broken still is.
        """
        main, broken = self.folder / "brxy.toml", self.folder / "a.toml"
        main.write_text('[edge]\ninclude = "a.toml"\n')
        broken.write_text(f'[[route."a.example".spawn]]{_APP}')
        edge = self.edge("--config", "brxy.toml")
        url = await self.address(edge)
        before = await self.get(url, host="a.example")
        broken.write_text("[[route]]\nhots = 1\n")
        main.write_text(f'[edge]\ninclude = "a.toml"\n[[route."b.example".spawn]]{_APP}')
        edge.signal(signal.SIGHUP)
        await self.said(edge, "a.toml:2: hots is not known; did you mean host")
        added = await self.get(url, host="b.example")
        after = await self.get(url, host="a.example")
        self.assertEqual((added.status, after.status), (200, 200))
        self.assertEqual(after.body.split(",")[0], before.body.split(",")[0])

    async def test_reloadAll(self) -> None:
        """
        SIGHUP reads the files again: a changed app is rolled, a removed one ends, one with a
        fault stays as it was, and an added one serves.
        """
        apps = self.folder / "apps"
        apps.mkdir()
        (self.folder / "brxy.toml").write_text('[edge]\ninclude = "apps/*.toml"\n')
        text = '[route."{}.example"]\n[[route."{}.example".spawn]]' + _APP
        for host in ("changed", "removed", "broken", "kept"):
            (apps / f"{host}.toml").write_text(text.format(host, host))
        edge = self.edge("--config", "brxy.toml")
        url = await self.address(edge)

        async def body(host: str) -> str:
            answer = await self.get(url, host=f"{host}.example")
            return f"{answer.status} {answer.body.split(',')[0]}"

        before = {host: await body(host) for host in ("changed", "removed", "broken", "kept")}
        with (apps / "changed.toml").open("a") as file:
            file.write('env = { PYTHONUNBUFFERED = "1" }\n')
        with (apps / "broken.toml").open("a") as file:
            file.write("comand = 1\n")
        (apps / "removed.toml").unlink()
        (apps / "added.toml").write_text(text.format("added", "added"))
        edge.signal(signal.SIGHUP)
        await self.said(edge, "read the settings again, added added_example")
        await self.said(edge, "broken.toml:5: comand is not known; did you mean command")
        await self.said(edge, r"changed.example/\w+: gone")
        after = {host: await body(host) for host in (*before, "added")}
        for host in ("broken", "kept"):
            self.assertEqual(after[host], before[host])
        self.assertNotEqual(after["changed"], before["changed"])
        self.assertEqual(after["changed"][:3], "200")
        self.assertEqual(after["removed"][:3], "404")
        self.assertEqual(after["added"][:3], "200")

    async def test_faults(self) -> None:
        """
        All that is wrong is printed at once, and the edge does not start.
        """
        (self.folder / "brxy.toml").write_text("[edge]\nprot = 1\n\nretries = 'x'\n[route.a]\n")
        edge = self.edge("--config", "brxy.toml")
        self.assertEqual(await self.ended(edge), 1)
        for line in ("brxy.toml:2: prot is", "brxy.toml:4: bad retries", "brxy.toml:5: the"):
            self.assertIn(line, edge.err)
