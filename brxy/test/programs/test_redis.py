"""
Tests of a TCP frontend with a real, unmodified server behind it.
"""

from __future__ import annotations

import shutil

from brxy.test.support.processes.programs import ANYWHERE, TWISTD, ProgramTests

__all__ = ["RedisTests"]

_SPAWN = "app: route=redis capacity=50 idle-timeout=0.3 -- redis-server --port {port} --save ''"


class RedisTests(ProgramTests):
    """
    Tests of Redis, from zero and back to zero.
    """

    if shutil.which("redis-server") is None:
        skip = "needs redis-server: apt install redis-server"

    async def test_session(self) -> None:
        """
        The commands of a session are answered in order by a server that is
        started for it, and that leaves when the last client has gone.
        """
        frontend = f"redis={ANYWHERE}"
        edge = self.start(TWISTD, "-n", "brxy-edge", "--tcp", frontend, "--spawn", _SPAWN)
        address = await self.address(edge, "TCPFactory")
        commands = b"SET greeting hello\r\nAPPEND greeting !\r\nGET greeting\r\nQUIT\r\n"
        answer = await self.talk(address, commands)
        self.assertEqual(answer.head, "+OK\r\n:6\r\n$6\r\nhello!\r\n+OK\r\n")
        await self.said(edge, "gone: exit status 0")
        await self.stopped(edge)
