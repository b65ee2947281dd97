"""
Tests of an edge that watches its configuration files, as a real process.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from brxy.test.support.processes.programs import ANYWHERE, DEMO, PYTHON, TWISTD, ProgramTests

_LIMITED = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"'


def _route(host: str) -> str:
    return f'[[route."{host}".spawn]]\nkind = "app"\ncommand = ["{PYTHON}", "{DEMO}"]\n'


class WatchTests(ProgramTests):
    """
    Tests of C{watch = true}.
    """

    async def _status(self, url: str, host: str) -> int:
        return (await self.get(url, host=host)).status

    async def test_files(self) -> None:
        """
        A file that is added, and one that is replaced as editors do it, are read; one with a
        fault leaves its app as it was.
        """
        apps = self.folder / "apps"
        apps.mkdir()
        top = '[edge]\nwatch = true\ninclude = "apps/*.toml"\n'
        main = top + _route("other.example")
        (self.folder / "brxy.toml").write_text(main)
        edge = self.edge("--config", "brxy.toml")
        url = await self.address(edge)
        self.assertEqual(await self._status(url, "a.example"), 404)
        (apps / "a.toml").write_text(_route("a.example"))
        await self.said(edge, "added a_example")
        self.assertEqual(await self._status(url, "a.example"), 200)
        (apps / ".a.toml.swp").write_text(_route("a.example") + "comand = 1\n")
        (apps / ".a.toml.swp").rename(apps / "a.toml")
        await self.said(edge, "apps/a.toml:4: comand is not known; did you mean command")
        self.assertEqual(await self._status(url, "a.example"), 200)
        (apps / "a.toml").unlink()
        await self.said(edge, "removed a_example")
        self.assertEqual(await self._status(url, "a.example"), 404)
        (self.folder / "brxy.toml").write_text(main.replace("watch = true", "max-held = 7"))
        await self.said(edge, "set max-held, watch")
        await self.stopped(edge)

    async def test_volume(self) -> None:
        """
        A ConfigMap that changes in a Pod is read: its files are links by way of one link, which
        is replaced.
        """
        volume = self.folder / "etc"
        for name, host in (("..1", "a.example"), ("..2", "b.example")):
            (volume / name).mkdir(parents=True)
            (volume / name / "brxy.toml").write_text("[edge]\nwatch = true\n" + _route(host))
        (volume / "..data").symlink_to("..1")
        (volume / "brxy.toml").symlink_to("..data/brxy.toml")
        edge = self.edge("--config", "etc/brxy.toml")
        url = await self.address(edge)
        (volume / "..data_tmp").symlink_to("..2")
        os.replace(volume / "..data_tmp", volume / "..data")
        await self.said(edge, "added b_example; removed a_example")
        self.assertEqual(await self._status(url, "b.example"), 200)
        await self.stopped(edge)

    async def test_limit(self) -> None:
        """
        If the kernel allows no more watches, one line says so, and the edge serves.
        """
        limited = ("unshare", "-Ur", "sh", "-c", _LIMITED, "sh")
        if subprocess.run([*limited, "true"], check=False, capture_output=True).returncode:
            self.skipTest("this needs user namespaces")
        Path(self.folder, "brxy.toml").write_text(_route("a.example"))
        ports = ("--port", ANYWHERE, "--config", "brxy.toml", "--watch")
        edge = self.start(*limited, TWISTD, "-n", "brxy-edge", *self.on, *ports)
        url = await self.address(edge)
        await self.said(
            edge,
            r"can't watch \. for changes, reload by SIGHUP: the limit "
            r"fs\.inotify\.max_user_watches is reached",
        )
        self.assertEqual(edge.out.count("can't watch"), 1)
        self.assertEqual(await self._status(url, "a.example"), 200)
        await self.stopped(edge)
