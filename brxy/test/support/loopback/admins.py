"""
An edge with an admin API at its Unix socket, which tests request by curl.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any

from twisted.internet.utils import getProcessOutput

from brxy.test.support.loopback.edges import EdgeTests

__all__ = ["AdminBase"]


class AdminBase(EdgeTests):
    """
    Base of tests of the API.

    @ivar folder: the state folder.
    @ivar admin: settings of an edge with the API.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.socket = os.path.join(self.folder, "admin.sock")
        self.admin: dict[str, Any] = {"state_dir": self.folder, "private_admin": True}

    async def curl(self, path: str, *options: str) -> tuple[int, Any]:
        """
        @return: the status of a response, and the JSON in it.
        """
        url = f"http://localhost{path}"
        given = ["-sS", "--unix-socket", self.socket, "-w", "\n%{http_code}", *options, url]
        text = await getProcessOutput("curl", given, dict(os.environ), reactor=self.reactor)
        body, _, status = text.rpartition(b"\n")
        return int(status), json.loads(body) if body else None

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        """
        @return: as L{curl}.
        """
        kind = "Content-Type: application/json"
        return await self.curl(path, "-H", kind, "-d", json.dumps(body))
