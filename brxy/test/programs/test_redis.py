"""
Tests of a TCP frontend with a real server behind it that nobody wrote for us.
"""

from __future__ import annotations

import shutil

from brxy.test.support.processes.programs import ANYWHERE, TWISTD, ProgramTests

__all__ = ["RedisTests"]

_SPAWN = "app: route=redis capacity=50 idle-timeout=0.3 -- redis-server --port {port} --save ''"


class RedisTests(ProgramTests):
    """
    Redis, from zero and back to zero.
    """

    if shutil.which("redis-server") is None:
        skip = "needs redis-server: apt install redis-server"

    async def test_session(self) -> None:
        """
        A session's commands are answered in order by a server that was not
        there, and that leaves when the last client has.
        """
        frontend = f"redis={ANYWHERE}"
        edge = self.start(TWISTD, "-n", "brxy-edge", "--tcp", frontend, "--spawn", _SPAWN)
        address = await self.address(edge, "TCPFactory")
        commands = b"SET greeting hello\r\nAPPEND greeting !\r\nGET greeting\r\nQUIT\r\n"
        answer = await self.talk(address, commands)
        self.assertEqual(answer.head, "+OK\r\n:6\r\n$6\r\nhello!\r\n+OK\r\n")
        await self.said(edge, "gone: exit status 0")
        await self.stopped(edge)
