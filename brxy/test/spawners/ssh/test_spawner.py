"""
Tests of C{ssh:} alone, with a real sshd.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.interfaces import IInstance, ISpawner, SpawnOrder
from brxy.processes.ports import PORTS
from brxy.spawners.registry import buildSpawner
from brxy.test.support.processes.sshd import SshTests

__all__ = ["EndTests", "FailureTests", "HostTests", "OptionTests"]

# Prints a line, and ends within SIGTERM.
_STAYS = "echo up; exec sleep 1000"


class _Tests(SshTests):
    """
    Has spawners in the test's own process.

    @ivar logged: the lines that were logged.
    """

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[str] = []
        observer: Any = self._log
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        os.environ["TMPDIR"], before = str(self.folder), os.environ.get("TMPDIR")
        self.addCleanup(self._restore, before)
        self._number = 0

    def _log(self, event: dict[str, Any]) -> None:
        if "line" in event:
            self.logged.append(event["line"])

    def _restore(self, before: str | None) -> None:
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before

    def spawner(self, script: str, **options: str) -> ISpawner:
        """
        One for a shell script; it is stopped after the test.
        """
        _, spawner = buildSpawner(
            self.spec("sh", "-c", script, "sh", "{route}", **options), self.reactor
        )
        self.addCleanup(spawner.stop)
        return spawner

    def spawn(self, spawner: ISpawner, **environment: str) -> IInstance:
        """
        Order an instance.
        """
        self._number += 1
        return spawner.spawn(SpawnOrder(f"t{self._number}", "a_b.x-1.example", 1, environment))

    async def reason(self, script: str = "exit 0", **options: str) -> str:
        """
        @return: how an instance ends.
        """
        return str((await self.spawn(self.spawner(script, **options)).gone).reason)

    async def printed(self, number: int) -> None:
        """
        Wait until this number of instances have printed a line.
        """
        await self.until(lambda: len(self.logged) >= number)


class EndTests(_Tests):
    """
    Instances that end, and that are ended.
    """

    async def test_life(self) -> None:
        """
        The command finds route and environment there as they are; what it
        prints is logged; stopped, it is gone, and nothing is left.
        """
        self.sshd.start()
        spawner = self.spawner(f'echo "$1 $ROUTE $X"; {_STAYS}')
        verifyObject(ISpawner, spawner)
        instance = self.spawn(spawner, ROUTE="a_b.x-1.example", X="$(exit) 'é' \\")
        verifyObject(IInstance, instance)
        await self.printed(2)
        self.assertEqual(self.logged[0], "a_b.x-1.example a_b.x-1.example $(exit) 'é' \\")
        instance.stop()
        instance.stop()
        self.assertEqual((await instance.gone).reason, "killed by SIGTERM")
        self.assertNoResult(instance.ready)
        await spawner.stop()
        await self.until(lambda: not self.running() and not self.sshd.sessions())
        self.assertEqual([*self.folder.glob("brxy-ssh-*")], [])
        self.assertRaises(SpawnFailed, self.spawn, spawner)

    async def test_drain(self) -> None:
        """
        It may finish what it does; one that takes too long is killed.
        """
        self.sshd.start()
        for script, timeout, reason in (
            (
                "trap 'sleep 0.3; exit 0' TERM; echo up; while :; do sleep 0.02; done",
                "30",
                "exit status 0",
            ),
            ("trap '' TERM; echo up; while :; do sleep 0.02; done", "0.2", "killed by SIGKILL"),
        ):
            self.logged.clear()
            instance = self.spawn(self.spawner(script, stop_timeout=timeout))
            await self.printed(1)
            instance.stop()
            self.assertEqual((await instance.gone).reason, reason)

    async def test_stoppedEarly(self) -> None:
        """
        One that does not run yet can be stopped, and the others don't mind.
        """
        self.sshd.start()
        spawner = self.spawner(_STAYS)
        instances = [self.spawn(spawner) for _ in range(2)]
        instances[0].stop()
        self.assertEqual(self.successResultOf(instances[0].gone).reason, "stopped before it ran")
        await self.printed(1)
        stopped = spawner.stop()
        self.assertEqual((await instances[1].gone).reason, "killed by SIGTERM")
        await stopped

    async def test_many(self) -> None:
        """
        More than one connection has room for take another, which is left when
        it is not needed any more.
        """
        self.sshd.start()
        spawner = self.spawner(_STAYS)
        instances = [self.spawn(spawner) for _ in range(12)]
        await self.printed(12)
        self.assertEqual(len(self.sshd.sessions()), 2)
        for instance in instances:
            instance.stop()
        for instance in instances:
            self.assertEqual((await instance.gone).reason, "killed by SIGTERM")
        await self.until(lambda: len(self.sshd.sessions()) == 1)

    async def test_sessionKilled(self) -> None:
        """
        The sshd's side of the connection is killed: what ran there ends.  Stopping the
        instance then does nothing, and leaves no timer behind.
        """
        self.sshd.start()
        instance = self.spawn(self.spawner(_STAYS))
        await self.printed(1)
        for pid in self.sshd.sessions():
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(
            (await instance.gone).reason,
            "the connection was lost: Connection to 127.0.0.1 closed by remote host",
        )
        instance.stop()
        await self.until(lambda: not self.running())


class FailureTests(_Tests):
    """
    What can go wrong, in one line each.
    """

    async def test_commands(self) -> None:
        """
        A command's status with its last line; no such command; one that ends
        well.
        """
        self.sshd.start()
        self.assertEqual(
            await self.reason("echo a; echo no such image >&2; exit 125"),
            "exit status 125: no such image",
        )
        self.assertEqual(await self.reason("printf unended; exit 255"), "exit status 255: unended")
        self.assertEqual(await self.reason("exit 0"), "exit status 0")
        _, spawner = buildSpawner(self.spec("no-such-thing"), self.reactor)
        self.addCleanup(spawner.stop)
        missing = (await self.spawn(spawner).gone).reason
        self.assertRegex(missing, r"^exit status 127: sh: (1: )?no-such-thing: not found$")

    async def test_hostKeys(self) -> None:
        """
        A host key that is not the one known, and one that is not known.
        """
        self.sshd.start()
        known = self.sshd.folder / "known_hosts"
        other = (
            known.read_text().split()[0] + " " + Path(f"{known.parent}/user_key.pub").read_text()
        )
        known.write_text(other)
        self.assertEqual(await self.reason(), "web1: its host key is not the one in known_hosts")
        known.write_text("")
        self.assertEqual(await self.reason(), "web1: its host key is not in known_hosts")

    async def test_key(self) -> None:
        """
        A key that is refused.
        """
        self.sshd.start()
        (self.sshd.folder / "user_key.pub").write_text("")
        self.assertRegex(
            await self.reason(), r"^web1: \w+@127.0.0.1: Permission denied \(publickey.*\)$"
        )

    async def test_unreachable(self) -> None:
        """
        A closed port, and a name that does not exist.
        """
        self.assertEqual(
            await self.reason(),
            f"web1: connect to host 127.0.0.1 port {self.sshd.port}: Connection refused",
        )
        unknown = await self.reason(host="no-such-host.invalid")
        self.assertRegex(
            unknown, "^no-such-host.invalid: Could not resolve hostname no-such-host.invalid: "
        )

    async def test_silent(self) -> None:
        """
        A host that takes the connection and says nothing.
        """
        import socket

        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = str(silent.getsockname()[1])
            reason = await self.reason(host="127.0.0.1", port=port, connect_timeout="1")
        self.assertEqual(reason, f"127.0.0.1: Connection to 127.0.0.1 port {port} timed out")

    async def test_noWayBack(self) -> None:
        """
        An sshd that does not forward.
        """
        with (self.sshd.folder / "sshd_config").open("a") as file:
            file.write("DisableForwarding yes\n")
        self.sshd.start()
        instance = self.spawn(self.spawner(_STAYS), BRXY_EDGE="tcp:127.0.0.1:1")
        self.assertRegex((await instance.gone).reason, "^web1: no way back to the edge: .*forward")

    async def test_back(self) -> None:
        """
        A host that could not be reached is tried again.
        """
        spawner = self.spawner("exit 3")
        self.assertIn("refused", (await self.spawn(spawner).gone).reason)
        self.sshd.start()
        self.assertEqual((await self.spawn(spawner).gone).reason, "exit status 3")


class HostTests(_Tests):
    """
    Several hosts.
    """

    async def test_next(self) -> None:
        """
        They are filled in their order, and one that is not there is left out;
        when there is no room any more, that is the reason.
        """
        self.sshd.start()
        with open(self.sshd.config, "a") as file:
            file.write(f"Host gone\n    HostName 127.0.0.1\n    Port {PORTS.take()}\n")
        spawner = self.spawner(_STAYS, host="gone,web1,web2", per_host="1")
        instances = [self.spawn(spawner) for _ in range(2)]
        await self.printed(2)
        self.assertEqual(len(self.sshd.sessions()), 2)
        reason = (await self.spawn(spawner).gone).reason
        self.assertRegex(reason, "^gone: connect to .* refused; web1: full; web2: full$")
        instances[0].stop()
        self.assertEqual((await instances[0].gone).reason, "killed by SIGTERM")
        self.logged.clear()
        again = self.spawn(spawner)
        await self.printed(1)
        self.assertNoResult(again.gone)


class OptionTests(_Tests):
    """
    What can't be meant is said at once.
    """

    def test_bad(self) -> None:
        """
        One line each.
        """
        for spec, message in (
            ("ssh: -- true", "ssh: needs host="),
            ("ssh: host=web1", "ssh: needs a command after --"),
            (
                "ssh: host=-oProxyCommand=x -- true",
                "bad value for host: '-oProxyCommand=x' (names",
            ),
            ("ssh: host=a,a -- true", "bad value for host: 'a,a' (names of different hosts"),
            ("ssh: host=a, -- true", "bad value for host: 'a,' (names"),
            (
                "ssh: host=a port=70000 -- true",
                "bad value for port: '70000' (a whole number from 1",
            ),
            ("ssh: host=a user=-x -- true", "bad value for user: '-x' (the name of a user"),
            ("ssh: host=a key=/no -- true", "bad value for key: '/no' (No such file"),
            ("ssh: host=a config=/no -- true", "bad value for config: '/no' (No such file"),
            ("ssh: host=a per-host=0 -- true", "bad value for per-host: '0'"),
        ):
            error = self.assertRaises(BadSpawnSpec, buildSpawner, spec, self.reactor)
            self.assertIn(message, str(error))
