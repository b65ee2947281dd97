"""
Tests with the apps of examples/apps that need nothing beyond programs of
Debian: each is started by its line of C{apps.toml}, from zero and back to zero.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

import brxy
from brxy.test.support.docker.dockerd import MISSING, theDockerd
from brxy.test.support.processes.programs import TWISTD, ProgramTests

__all__ = ["LightTests"]

_ROOT = Path(brxy.__file__).parents[1]
_APPS = _ROOT / "examples" / "apps"

# How long instances may be idle: more than the pauses between the requests of a check.
_IDLE = ("--idle-timeout", "1", "--old-idle-timeout", "1")


def _load(name: str) -> Any:
    """
    Import a module of the example.
    """
    if not _APPS.exists():
        raise SkipTest("needs examples/: run the tests in a checkout")
    if str(_APPS) not in sys.path:
        sys.path.append(str(_APPS))
    return importlib.import_module(name)


class LightTests(ProgramTests):
    """
    Tests of one app each.
    """

    async def _try(self, name: str, **more: str) -> None:
        """
        Run an app and its check.

        @param more: variables for the edge.
        """
        runs, checks = _load("app_runs"), _load("app_checks")
        [app] = [app for app in runs.loadApps() if app.name == name]
        self.assertTrue(app.light)
        if missing := app.missing():
            raise SkipTest(f"needs {', '.join(missing)}: apt install {' '.join(missing.values())}")
        mark, _, value = self.mark.partition("=")
        path = os.pathsep.join((str(Path(TWISTD).parent), os.environ["PATH"]))
        environ = {**os.environ, "PYTHONPATH": str(_ROOT), "PATH": path, mark: value, **more}
        runs.copyFiles(self.folder)
        prepare, check = checks.PREPARE.get(app.check), checks.CHECKS[app.check]
        extra = (*self.on, *_IDLE)
        await deferToThread(runs.runApp, app, self.folder, prepare, check, environ, extra)

    async def test_php(self) -> None:
        """
        PHP's server takes one request at a time, so each of four has an
        instance.
        """
        await self._try("PHP's server")

    async def test_files(self) -> None:
        """
        Python's server serves a file.
        """
        await self._try("http.server")

    async def test_redis(self) -> None:
        """
        Redis has its keys again after it was at zero.
        """
        await self._try("Redis")

    async def test_postgres(self) -> None:
        """
        PostgreSQL's first client gets no error.
        """
        await self._try("PostgreSQL")

    async def test_nginx(self) -> None:
        """
        nginx listens on the port of its configuration.
        """
        await self._try("nginx")

    async def test_healthy(self) -> None:
        """
        A container gets nothing before it is healthy.
        """
        if MISSING:
            raise SkipTest(MISSING)
        await self._try("an image with HEALTHCHECK", DOCKER_HOST=theDockerd().host)

    async def test_background(self) -> None:
        """
        An app that goes to the background is ended, and leaves nothing behind.
        """
        await self._try("an app that goes to the background")

    def test_all(self) -> None:
        """
        There is a test for each app that is marked as light.
        """
        light = [app for app in _load("app_runs").loadApps() if app.light]
        tests = [name for name in dir(self) if name.startswith("test_")]
        self.assertEqual(len(light), len(tests) - 1)
