"""
The dashboard in Chromium, with C{brxy dashboard} and a real edge.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from brxy.ctl.asking.client import Edge
from brxy.test.support.processes.browsers import Browser, needBrowser
from brxy.test.support.processes.programs import PYTHON, Answer, Program, ProgramTests

__all__ = ["SHOP", "DashboardBase"]

# An app that listens once the file C{go} exists, and ends before that if C{fail} does.
_APP = """\
import os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Request(BaseHTTPRequestHandler):
    def do_GET(self):
        # In one piece, for there are several threads.
        sys.stdout.write(f"asked {self.path}\\n")
        sys.stdout.flush()
        while self.path == "/wait" and not os.path.exists("answer"):
            time.sleep(0.01)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass

while not os.path.exists("go"):
    if os.path.exists("fail"):
        print("<img src=x onerror=document.title='run'>\\x1b[31m no database", flush=True)
        sys.exit(3)
    time.sleep(0.01)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Request).serve_forever()
"""

#: A route.
SHOP = "shop.example.com"

_ROUTE = """
[route."{host}"]
capacity = 4
max = {most}
[[route."{host}".spawn]]
kind = "app"
command = {command}
"""

# What a page shows, as a value.
_READ = """
const all = (selector, of = document) => [...of.querySelectorAll(selector)];
const text = (cell) => cell.getAttribute("aria-label") ?? cell.textContent;
all("details.behind").forEach((each) => { each.open = true; });
return {
  facts: Object.fromEntries(all("#facts > div").map((each) =>
    [each.dataset.fact, each.lastElementChild.textContent])),
  routes: Object.fromEntries(all("#table tbody tr").map((row) => [row.dataset.route,
    Object.fromEntries(all("td[data-column]", row).map((cell) =>
      [cell.dataset.column, text(cell)]))])),
  order: all("#table tbody tr").map((row) => row.dataset.route),
  timeline: all("#timeline details tbody tr").map((row) =>
    all("td", row).map((cell) => cell.textContent)),
  plots: Object.fromEntries(all("#plots figure").map((each) => [
    each.querySelector("h3").textContent,
    { time: Number(each.querySelector(".frame").dataset.time),
      values: all("output", each).map((value) => value.textContent) },
  ])),
  events: all("#event-list li").map((each) => each.dataset.event),
  starts: all(".starts li").map((each) => each.dataset.outcome ?? ""),
  instances: all("#route tbody tr").map((row) =>
    [row.dataset.ticket, ...all("td", row).map((cell) => cell.textContent)]),
  log: all("#route .log li").map((each) => each.textContent),
  count: document.getElementById("count").textContent,
  done: document.getElementById("done").textContent,
};
"""

_CLOSE = "document.querySelectorAll('details').forEach((each) => { each.open = false; })"

_DRAWN = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"

_STATES = ("ordered", "connected", "ready", "draining")


def _counts(instances: dict[str, int]) -> str:
    found = [f"{instances[each]} {each}" for each in _STATES if instances[each]]
    return ", ".join(found) or "none"


class DashboardBase(ProgramTests):
    """
    Base of the tests.

    @ivar browser: a browser.
    """

    timeout = 200

    def setUp(self) -> None:
        needBrowser()
        super().setUp()

    def browse(self, *arguments: str) -> None:
        """
        Start the browser, with further arguments.
        """
        self.browser = Browser(self.folder, self.environment({}), *arguments)
        self.addCleanup(self.browser.quit)

    def configure(self, *hosts: str, most: int = 3, command: str = "") -> None:
        """
        Write C{brxy.toml}, with these routes.
        """
        (self.folder / "app.py").write_text(_APP)
        command = command or f'["{PYTHON}", "app.py"]'
        routes = [_ROUTE.format(host=each, most=most, command=command) for each in hosts]
        (self.folder / "brxy.toml").write_text("\n".join(routes))

    async def serving(self, *arguments: str) -> str:
        """
        Start an edge with C{brxy.toml}.

        @return: where clients connect.
        """
        given = ("--config", "brxy.toml", "--state-dir", "state", *arguments)
        self.program = self.edge(*given)
        address = await self.address(self.program)
        self.api = Edge(f"{self.folder}/state/admin.sock")
        self.addCleanup(self.api.close)
        return address

    async def relay(self) -> tuple[Program, str]:
        """
        Start C{brxy dashboard}.

        @return: it, and the URL that it prints.
        """
        program = self.start(PYTHON, "-m", "brxy.ctl", "dashboard", "--socket", "state")
        url = await self.said(program, r"\Ahttp://127\.0\.0\.1:\d+/#token=\S+\n\Z")
        return program, url[0].strip()

    async def opened(self, url: str) -> None:
        """
        Open the page, and wait until it shows the edge.
        """
        self.browser.open(url)
        await self.until(lambda: self.shown()["facts"] and self.shown()["plots"])
        await self.agreed()

    def shown(self) -> Any:
        """
        @return: what the page shows.
        """
        return self.browser.run(_READ)

    async def agreed(self) -> Any:
        """
        Wait until the page shows what the API says.

        @return: what it shows.
        """
        page: Any = None

        def agrees() -> bool:
            nonlocal page
            expected, page = self.expected(), self.shown()
            found = {
                host: {name: row.get(name) for name in expected["routes"].get(host, ())}
                for host, row in page["routes"].items()
            }
            facts = {name: page["facts"].get(name) for name in expected["facts"]}
            told = {each[1] for each in page["timeline"]}
            return (found, facts, told) == (
                expected["routes"],
                expected["facts"],
                expected["timeline"],
            )

        await self.until(agrees)
        return page

    def expected(self) -> Any:
        """
        @return: what the page should show, by the API.
        """
        status = self.api.get("/v1/status")
        routes = self.api.get("/v1/routes", limit="1000")["routes"]
        return {
            "facts": {
                "clients": str(status["clients"]),
                "held": str(status["held"]),
                "instances": f"{status['instances']['total']}/{status['instances']['max']}",
                "version": status["version"],
            },
            "routes": {
                each["host"]: {
                    "state": each["state"],
                    "in flight": f"{each['in_flight']}/{each['capacity']}",
                    "held": str(each["held"]),
                    "instances": _counts(each["instances"]),
                }
                for each in routes
            },
            "timeline": {each["ticket"] for each in self.api.get("/v1/timeline")["instances"]},
        }

    def requests(self, address: str, number: int, path: str = "/") -> Deferred[list[Answer]]:
        """
        Make requests at once.
        """
        return gatherResults([self.get(address, path, SHOP) for _ in range(number)])

    async def picture(
        self, name: str, width: int = 1360, dark: bool = False, whole: bool = True
    ) -> None:
        """
        Save a picture of the page for C{doc}, if the environment names a folder for it.

        @param whole: of all of the page, and not of what fits on a screen.
        """
        folder = os.environ.get("BRXY_TEST_PICTURES")
        if not folder:
            return
        # Until there is more to see.
        await deferLater(self.reactor, 4.0)
        self.browser.run(_CLOSE)
        self.browser.look(width, 1000, dark)
        if whole:
            height = self.browser.run("return document.body.scrollHeight")
            self.browser.look(width, height, dark)
        self.browser.runLater(_DRAWN)
        self.browser.picture(Path(folder) / f"dashboard-{name}.png")
        self.browser.look(1360, 900)
