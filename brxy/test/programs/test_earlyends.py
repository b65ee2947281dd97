"""
Tests of C{twistd brxy-edge} with real processes: nodes whose apps end before they are ready.
"""

from __future__ import annotations

import time

from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.processes.programs import PYTHON, ProgramTests

_NODE = f"{PYTHON} -m brxy.node"

# Launches a node as "docker run -d" does: elsewhere.
_LAUNCH = f'{PYTHON} -m brxy.node "$@" </dev/null >/dev/null 2>&1 &'


class _Tests(ProgramTests):
    """
    What a client and the log get, at once.
    """

    async def reason(self, command: str, *arguments: str) -> str:
        """
        @return: why the first instance is gone, by the log. No client was held for long.
        """
        (self.folder / "launch").write_text(_LAUNCH)
        edge = self.edge("--spawn", f"process: -- {command}", *arguments)
        address = await self.address(edge)
        asked = time.monotonic()
        answer = await self.get(address)
        self.assertLess(time.monotonic() - asked, 20)
        self.assertEqual(answer.status, 503)
        self.assertIn("\r\nRetry-After: ", answer.head)
        gone = await self.said(edge, r" default/\w+: gone: (.*)\n")
        await self.stopped(edge)
        return gone[1]


class EarlyEndTests(_Tests):
    """
    Nodes that the edge has started.
    """

    async def test_status0(self) -> None:
        """
        An app that exits with 0 makes its node fail.
        """
        self.assertEqual(
            await self.reason(f"{_NODE} --transport {self.transport} -- true"),
            "exit status 69: brxy-node: the app ended before it was ready: exit status 0",
        )

    async def test_status(self) -> None:
        """
        Another status is the node's own, and the app's last line is known.
        """
        self.assertEqual(
            await self.reason(f"{_NODE} -- sh -c 'echo no such module >&2; exit 3'"),
            "exit status 3: brxy-node: the app ended before it was ready: "
            "exit status 3: no such module",
        )

    async def test_signal(self) -> None:
        """
        So is a signal.
        """
        self.assertEqual(
            await self.reason(f"{_NODE} -- sh -c 'kill -SEGV $$'"),
            "exit status 139: brxy-node: the app ended before it was ready: killed by SIGSEGV",
        )


@onBothTransports
class ElsewhereTests(_Tests):
    """
    Nodes that the command has launched elsewhere.
    """

    async def test_elsewhere(self) -> None:
        """
        Such a node reports the end to the edge.
        """
        self.assertEqual(
            await self.reason(f"sh launch --transport {self.transport} -- true"),
            "the app ended before it was ready: exit status 0",
        )
