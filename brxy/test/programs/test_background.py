"""
Tests of C{twistd brxy-edge} and C{brxy-node} with real processes: apps that go to the background.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest import skipUnless

from brxy.test.support.loopback.leftovers import isAlive
from brxy.test.support.processes.programs import PYTHON, ProgramTests

_NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")

_CONF = """
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server { listen 127.0.0.1:PORT; location / { return 200 "hello\\n"; } }
}
"""

# Writes the port into the configuration, as any image with nginx does.
_SERVE = """
sed "s/PORT/$PORT/" "$1/nginx.template" > "$1/nginx.conf"
exec "$0" -p "$1" -c nginx.conf "$2" "$3"
"""

# What both of them say.
_ADVICE = "nginx went on in the background; start it in the foreground: nginx -g 'daemon off;'"


@skipUnless(_NGINX, "needs nginx")
class BackgroundTests(ProgramTests):
    """
    nginx as an app.
    """

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "nginx.template").write_text(_CONF)
        (self.folder / "serve").write_text(_SERVE)

    def serving(self, globals: str) -> str:
        """
        @return: the command of the app.
        """
        return f"sh -c '. ./serve' {_NGINX} {self.folder} -g '{globals}'"

    async def test_foreground(self) -> None:
        """
        nginx that stays in the foreground serves, and ends with its workers.
        """
        edge = self.edge("--spawn", f"app: -- {self.serving('daemon off;')}")
        address = await self.address(edge)
        self.assertEqual((await self.get(address)).body, "hello\n")
        pid = int((self.folder / "nginx.pid").read_text())
        await self.stopped(edge)
        self.assertFalse(isAlive(pid))

    async def test_app(self) -> None:
        """
        The start of nginx that goes to the background has failed at once, for a reason that
        says what to write.
        """
        edge = self.edge("--spawn", f"app: -- {self.serving('daemon on;')}", "--retries", "0")
        address = await self.address(edge)
        waiting = self.get(address)
        await self.said(edge, _ADVICE)
        await self.noDaemon()
        # It may have answered before: nginx listens first, and goes to the background then.
        self.assertIn((await waiting).status, (200, 502, 503))
        await self.stopped(edge)

    async def test_node(self) -> None:
        """
        The same with a node.
        """
        node = f"{PYTHON} -m brxy.node -- {self.serving('daemon on;')}"
        edge = self.edge("--spawn", f"process: -- {node}")
        address = await self.address(edge)
        waiting = self.get(address)
        await self.said(edge, f"gone: .*{_ADVICE}")
        await self.noDaemon()
        await self.stopped(edge)
        self.assertEqual((await waiting).status, 503)

    async def noDaemon(self) -> None:
        """
        Check that no process of nginx is left.
        """
        folder = str(self.folder).encode()

        def running() -> list[bytes]:
            # nginx writes its title where its command line was, and the command behind that.
            lines = map(_read, Path("/proc").glob("[0-9]*/cmdline"))
            return [line for line in lines if line.startswith(b"nginx: ") and folder in line]

        await self.until(lambda: not running())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
