"""
Tests of what routes of a configuration file say of their requests, with real programs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from twisted.trial.unittest import SkipTest

from brxy.test.support.pages import readPage
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, Program, ProgramTests

_APP = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/exit":
            os._exit(3)
        status, body = (503, b"busy") if self.path == "/busy" else (200, b"<p>hello" * 1000)
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.rfile.read(length)
        self.path = "/"
        self.do_GET()

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Request).serve_forever()
"""

_BROWSER = ("-H", "Accept: text/html,*/*;q=0.8")


class RequestTests(ProgramTests):
    """
    Tests of the example of C{doc/config.rst}, with curl.
    """

    def setUp(self) -> None:
        if shutil.which("curl") is None:
            raise SkipTest("needs curl (apt install curl)")
        super().setUp()

    def example(self) -> str:
        """
        @return: the path of the example's file, with paths of this test.
        """
        [text] = [
            each
            for each in readPage("config").split(".. code-block:: toml\n")
            if "/srv/pages" in each
        ]
        lines = text.partition("\nErrors\n")[0].strip("\n").splitlines()
        for folder, pages in (
            ("pages", {"404": "<p>nothing here", "413": "<p>too long"}),
            ("shop", {"502": "<p>the shop broke"}),
        ):
            made = Path(self.folder, folder)
            made.mkdir()
            for status, page in pages.items():
                (made / f"{status}.html").write_text(page)
        Path(self.folder, "app.py").write_text(_APP)
        file = "\n".join(each.strip() for each in lines)
        for old, new in (
            ('"8080"', f'"{ANYWHERE}"'),
            ("/srv/pages", "pages"),
            ("/srv/shop/pages", "shop"),
            ('["/srv/shop/run"]', f'["{PYTHON}", "app.py"]'),
        ):
            file = file.replace(old, new)
        Path(self.folder, "brxy.toml").write_text(file)
        return "brxy.toml"

    async def curl(self, *arguments: str, host: str = "shop.example.com") -> str:
        """
        @return: what curl prints of an answer, and its status.
        """
        port = self.address_of.rpartition(":")[2]
        url = f"http://{host}:{port}"
        where = ("--resolve", f"{host}:{port}:127.0.0.1", "-w", "%{http_code}")
        *options, path = arguments
        done = self.start("curl", "-sS", *where, *options, url + path)
        self.assertEqual(await self.ended(done), 0, done.err)
        return done.out

    async def serve(self) -> Program:
        """
        Start the edge.
        """
        edge = self.start(PYTHON, "-m", "brxy.ctl", "edge", "--config", self.example())
        self.address_of = await self.address(edge)
        return edge

    async def test_example(self) -> None:
        """
        A long body wakes no app, a browser gets the pages and a script the reasons, and only a
        client that can decompress gets a compressed response. After a reload there are other
        pages, and after a reload with a bad one these stay.
        """
        edge = await self.serve()
        Path(self.folder, "long").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
        upload = ("--data-binary", "@long", "-H", "Expect:")
        self.assertEqual(await self.curl(*_BROWSER, *upload, "/"), "<p>too long413")
        self.assertEqual(await self.curl(*upload, "/"), "the request body is too large\n413")
        self.assertNotIn("ordered", edge.out)
        nowhere = "nowhere.example"
        self.assertEqual(await self.curl(*_BROWSER, "/", host=nowhere), "<p>nothing here404")
        self.assertEqual(await self.curl("/", host=nowhere), "no such app\n404")
        hello = "<p>hello" * 1000 + "200"
        self.assertEqual(await self.curl("/"), hello)
        self.assertEqual(await self.curl("--compressed", "/"), hello)
        head = await self.curl("--compressed", "-D", "-", "-o", "/dev/null", "/")
        self.assertIn("content-encoding: gzip", head.lower())
        self.assertEqual(await self.curl("--data-binary", "abc", "/"), hello)
        self.assertEqual(await self.curl(*_BROWSER, "/busy"), "busy503")
        self.assertEqual(await self.curl(*_BROWSER, "-X", "POST", "/exit"), "<p>the shop broke502")
        await self.changed(edge)

    async def changed(self, edge: Program) -> None:
        """
        Change a page, twice.
        """
        page = Path(self.folder, "pages", "404.html")
        for content, expected, said in (
            (b"<p>moved", "<p>moved404", "read the settings again"),
            (b"\xff", "<p>moved404", "404.html is not UTF-8"),
        ):
            page.write_bytes(content)
            edge.signal(1)
            await self.said(edge, said)
            answered = await self.curl(*_BROWSER, "/", host="nowhere.example")
            self.assertEqual(answered, expected)
