"""
Tests that a page of another site, open in the same browser as the dashboard, can do nothing
to the admin API and reads nothing of it.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from brxy.test.support.processes.dashboards import SHOP, DashboardBase

__all__ = ["HostilePageTests"]

# A name that the browser resolves to this machine, as a hostile name server would.
_REBOUND = "rebound.example"

# Tries everything against a server; each attempt ends with what it has got.
_ATTACK = """
const [target, token, done] = arguments;
const pause = `${target}/v1/routes/shop.example.com/pause`;
const json = { "Content-Type": "application/json" };
const body = JSON.stringify({ max: "60s" });
const results = {};
const loaded = () => "loaded";
const within = (promise) => Promise.race([promise,
  new Promise((resolve) => setTimeout(() => resolve("nothing"), 1500))]);
const text = async (url, options) => {
  const response = await fetch(url, options);
  if (response.type === "opaque") return "opaque";
  return `read ${response.status} ${await response.text()}`;
};
const wait = (element, url, read) => within(new Promise((resolve) => {
  element.onload = () => { try { resolve(read()); } catch { resolve("closed to us"); } };
  element.onerror = () => resolve("error");
  element.src = url;
  document.body.append(element);
}));
const form = (kind, fields) => {
  const frame = document.createElement("iframe");
  frame.name = `frame${Math.random()}`;
  const made = document.createElement("form");
  Object.assign(made, { method: "POST", action: pause, enctype: kind, target: frame.name });
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement("input");
    Object.assign(field, { name, value });
    made.append(field);
  }
  document.body.append(frame, made);
  return within(new Promise((resolve) => {
    frame.onload = () => {
      try { resolve(`read ${frame.contentDocument.body.textContent}`); }
      catch { resolve("closed to us"); }
    };
    made.submit();
  }));
};
const attempts = {
  page: () => text(`${target}/`),
  get: () => text(`${target}/v1/status`),
  blind: () => text(`${target}/v1/status`, { mode: "no-cors", credentials: "include" }),
  token: () => text(`${target}/v1/status`, { headers: { Authorization: `Bearer ${token}` } }),
  simple: () => text(pause, { method: "POST", mode: "no-cors", body }),
  preflighted: () => text(pause, { method: "POST", headers: json, body }),
  both: () => text(pause, { method: "POST", body,
    headers: { ...json, Authorization: `Bearer ${token}` } }),
  beacon: () => navigator.sendBeacon(pause, new Blob([body], { type: "text/plain" })),
  form: () => form("application/x-www-form-urlencoded", { max: "60s" }),
  plain: () => form("text/plain", { '{"max": "60s", "x": "': '"}' }),
  frame: () => { const frame = document.createElement("iframe");
    return wait(frame, `${target}/`, () => `read ${frame.contentDocument.body.textContent}`); },
  script: () => wait(document.createElement("script"), `${target}/dashboard/main.js`, loaded),
  image: () => wait(document.createElement("img"), `${target}/dashboard/icon.svg`, loaded),
  events: () => within(new Promise((resolve) => {
    const source = new EventSource(`${target}/v1/events`, { withCredentials: true });
    source.onmessage = (event) => resolve(`read ${event.data}`);
    source.onerror = () => resolve("error");
  })),
  socket: () => within(new Promise((resolve) => {
    const socket = new WebSocket(`${target.replace("http", "ws")}/v1/events`);
    socket.onopen = () => resolve("read");
    socket.onerror = () => resolve("error");
  })),
  window: () => within(new Promise((resolve) => {
    const other = window.open(`${target}/`);
    setTimeout(() => {
      try { resolve(`read ${other.document.body.textContent} ${other.sessionStorage.length}`); }
      catch { resolve("closed to us"); }
      other?.close();
    }, 700);
  })),
};
(async () => {
  for (const [name, attempt] of Object.entries(attempts)) {
    try { results[name] = String(await within(attempt())); }
    catch (error) { results[name] = `error ${error.name}`; }
  }
  done(results);
})();
"""

# Requests of a page at the server itself, under a name of a hostile site.
_FROM_WITHIN = """
const done = arguments[0];
(async () => {
  const page = await fetch("/").then((answer) => answer.text());
  const status = await fetch("/v1/status").then((answer) => answer.text());
  const pause = await fetch("/v1/routes/shop.example.com/pause",
    { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })
    .then((answer) => answer.text());
  done([page, status, pause, document.body.textContent]);
})();
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>hostile</title><body>")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class HostilePageTests(DashboardBase):
    """
    A browser with the dashboard in one tab, and a hostile page in another.
    """

    def hostileSite(self) -> int:
        """
        Serve a page.

        @return: its port.
        """
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for step in (server.server_close, thread.join, server.shutdown):
            self.addCleanup(step)
        return server.server_port

    async def test_attacks(self) -> None:
        """
        Neither the edge's port nor that of C{brxy dashboard} lets another site read or change
        anything: by fetch with and without a preflight, by forms, frames, scripts, images,
        events, WebSockets or windows, and not even with a token.
        """
        self.configure(SHOP)
        self.browse(f"--host-resolver-rules=MAP {_REBOUND} 127.0.0.1")
        admin = "tcp:0:interface=127.0.0.1"
        await self.serving("--admin", admin, "--admin-token-file", "token")
        direct = await self.said(self.program, r"admin API on (http://127\.0\.0\.1:\d+)")
        token = (self.folder / "token").read_text().strip()
        _, relayed = await self.relay()
        await self.opened(relayed)
        before = self.api.get("/v1/events", follow="false")["last"]
        hostile = self.hostileSite()
        for url in (f"{direct[1]}/#token={token}", relayed):
            for name in ("127.0.0.1", "localhost", _REBOUND):
                self.attack(f"http://{name}:{hostile}/", url)
            self.rebind(url)
        [route] = self.api.get("/v1/routes", host=SHOP)["routes"]
        self.assertEqual(route["state"], "asleep")
        self.assertEqual(self.api.get("/v1/events", follow="false")["last"], before)

    def attack(self, page: str, url: str) -> None:
        """
        Try all attacks from a page, with the token that the API of a URL wants.
        """
        target, _, token = url.partition("/#token=")
        self.browser.openTab(page)
        results = self.browser.runLater(_ATTACK, target, token)
        self.assertEqual(len(results), 16)
        for name, result in results.items():
            self.assertNotRegex(result, "read|loaded|status 200", f"{name} from {page}")
        self.browser.closeTab()

    def rebind(self, url: str) -> None:
        """
        Let the name of a hostile site point to the API itself: then its pages have the same
        origin as the API.
        """
        self.browser.openTab(f"http://{_REBOUND}:{urlsplit(url).port}/")
        for text in self.browser.runLater(_FROM_WITHIN):
            self.assertIn("Host", json.loads(text)["error"])
        self.browser.closeTab()
