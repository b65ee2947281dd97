"""
Tests of the spawners that run something on this machine, with real processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.errors import SpawnFailed
from brxy.interfaces import Gone, IInstance, ILimited, ISpawner, SpawnOrder
from brxy.processes.ports import Ports
from brxy.spawners.local import app, process
from brxy.spawners.local.base import ownBinFirst
from brxy.spawners.running import Running
from brxy.test.support.loopback.leftovers import RealTests, aliveInGroup

_SERVER = """
import os, socket
server = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])))
while True:
    server.accept()[0].close()
"""


class OwnBinFirstTests(SynchronousTestCase):
    """
    Tests of L{ownBinFirst}.
    """

    def test_first(self) -> None:
        """
        Our own folder comes first on PATH, once; the rest is as it was.
        """
        for before, after in (
            ("/bin:/usr/bin", "/v/bin:/bin:/usr/bin"),
            ("/bin:/v/bin", "/v/bin:/bin"),
        ):
            self.assertEqual(
                ownBinFirst({"PATH": before, "A": "b"}, "/v/bin/python"), {"PATH": after, "A": "b"}
            )

    def test_noPath(self) -> None:
        """
        Without any PATH the usual one follows.
        """
        self.assertEqual(ownBinFirst({}, "/v/bin/python"), {"PATH": f"/v/bin:{os.defpath}"})


class _Thing:
    """
    Counts how often it is stopped.
    """

    stopped = 0

    def stop(self) -> None:
        """
        Stop.
        """
        self.stopped += 1


class RunningTests(SynchronousTestCase):
    """
    Tests of L{Running}.
    """

    def test_nothing(self) -> None:
        """
        When nothing runs, all is stopped at once.
        """
        self.successResultOf(Running().stop())

    def test_stop(self) -> None:
        """
        Everything that runs still is stopped, and all must be gone.
        """
        running, one, two, gone = Running(), _Thing(), _Thing(), _Thing()
        overs: list[Deferred[Any]] = [Deferred(), Deferred(), Deferred()]
        for thing, over in zip((one, two, gone), overs, strict=True):
            running.add(thing, over)
        overs[2].callback("result")
        self.assertEqual(self.successResultOf(overs[2]), "result")
        done = running.stop()
        self.assertEqual((one.stopped, two.stopped, gone.stopped), (1, 1, 0))
        overs[0].callback(None)
        self.assertNoResult(done)
        again = running.stop()
        overs[1].callback(None)
        self.successResultOf(done)
        self.successResultOf(again)

    def test_noMore(self) -> None:
        """
        Once stopped, nothing may be started.
        """
        running = Running()
        running.check()
        running.stop()
        self.assertRaises(SpawnFailed, running.check)


class _Tests(RealTests):
    """
    Runs instances that are gone after the test.
    """

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[str] = []
        observer: Any = self.observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.spawners: list[ISpawner] = []

    def observe(self, event: Any) -> None:
        """
        Keep what is logged of instances.
        """
        if "ticket" in event:
            self.logged.append(event["log_format"].format(**event))

    def keep(self, spawner: ISpawner) -> ISpawner:
        """
        Stop this one after the test.
        """
        self.addCleanup(spawner.stop)
        return spawner

    def order(self, **environment: str) -> SpawnOrder:
        """
        One instance for example.com.
        """
        return SpawnOrder("t1", "example.com", 1, {"ROUTE": "example.com", **environment})

    async def pid(self) -> int:
        """
        @return: the process id that an instance printed as its first line.
        """
        await self.until(lambda: self.logged)
        return int(self.logged[0].partition("| ")[2])


class ProcessTests(_Tests):
    """
    Tests of C{process:}.
    """

    def spawner(self, *command: str, **options: str) -> ISpawner:
        """
        One for this command.
        """
        environ = {"PATH": os.defpath, "LANG": "C"}
        return self.keep(
            process.ProcessSpawner(
                process.ProcessOptions(**options), command, self.reactor, environ
            )
        )

    def shell(self, script: str, *arguments: str, **options: str) -> ISpawner:
        """
        One for a shell script.
        """
        return self.spawner("sh", "-c", script, "sh", *arguments, **options)

    def test_interfaces(self) -> None:
        """
        It provides what it says.
        """
        spawner = self.spawner("true")
        verifyObject(ISpawner, spawner)
        verifyObject(IInstance, spawner.spawn(self.order()))

    async def test_surroundings(self) -> None:
        """
        The command finds the order in its environment, and our own programs
        first; the route is one argument. What it prints is logged.
        """
        spawner = self.shell('echo "$BRXY_TICKET $LANG $1"; echo ${PATH%%:*} >&2', "a {route}")
        await spawner.spawn(self.order(BRXY_TICKET="t1")).gone
        own = os.path.dirname(sys.executable)
        self.assertEqual(sorted(self.logged), sorted(["t1| t1 C a example.com", f"t1| {own}"]))

    async def test_control(self) -> None:
        """
        What could move a cursor or look like another line is logged as text: it
        may be a client's words.
        """
        spawner = self.shell(r"printf 'a\tb\033[2Jc\rd\302\205e\342\200\256f\n'")
        await spawner.spawn(self.order()).gone
        self.assertEqual(self.logged, [r"t1| a	b\x1b[2Jc\rd\x85e\u202ef"])

    async def test_braces(self) -> None:
        """
        Whatever is printed is logged as it is.
        """
        await self.shell("echo '{x} %s'").spawn(self.order()).gone
        self.assertEqual(self.logged, ["t1| {x} %s"])

    def test_missing(self) -> None:
        """
        A command that is not there fails at once.
        """
        spawner = self.spawner("no-such-thing")
        error = self.assertRaises(SpawnFailed, spawner.spawn, self.order())
        self.assertEqual(str(error), "cannot run 'no-such-thing': no such executable on PATH")

    async def test_fails(self) -> None:
        """
        The end of a command that fails is reported with its last line.
        """
        instance = self.shell("echo no such image >&2; exit 125").spawn(self.order())
        self.assertEqual(await instance.gone, Gone("exit status 125: no such image"))
        self.assertNoResult(instance.ready)

    async def test_detached(self) -> None:
        """
        A command that ended well may have left something running; that is
        stopped with the spawner.
        """
        spawner = self.shell("sh -c 'echo $$; exec sleep 1000' & exit 0")
        instance = spawner.spawn(self.order())
        pid = await self.pid()
        self.assertEqual(await instance.gone, Gone("exit status 0", detached=True))
        self.assertEqual(len(aliveInGroup(os.getpgid(pid))), 1)
        group = os.getpgid(pid)
        await spawner.stop()
        self.assertEqual(aliveInGroup(group), [])

    async def test_stopDetached(self) -> None:
        """
        What was left running can be stopped alone.
        """
        instance = self.shell("sh -c 'echo $$; exec sleep 1000' & exit 0").spawn(self.order())
        group = os.getpgid(await self.pid())
        await instance.gone
        instance.stop()
        await self.until(lambda: not aliveInGroup(group))

    async def test_stop(self) -> None:
        """
        One that ends well because it was stopped has left nothing.
        """
        instance = self.shell("trap 'exit 0' TERM; echo $$; while :; do sleep 0.01; done").spawn(
            self.order()
        )
        pid = await self.pid()
        instance.stop()
        instance.stop()
        self.assertEqual(await instance.gone, Gone("exit status 0"))
        self.assertEqual(aliveInGroup(pid), [])
        instance.stop()

    async def test_stubborn(self) -> None:
        """
        One that ignores SIGTERM is killed after its C{stop-timeout}.
        """
        instance = self.shell(
            "trap '' TERM; echo $$; while :; do sleep 1000; done", stop_timeout="0.05"
        ).spawn(self.order())
        pid = await self.pid()
        instance.stop()
        self.assertEqual(await instance.gone, Gone("killed by SIGKILL"))
        self.assertEqual(aliveInGroup(pid), [])

    async def test_stopAll(self) -> None:
        """
        Stopping the spawner stops all of its instances, and it starts no more.
        """
        spawner = self.shell("echo $$; exec sleep 1000")
        instances = [spawner.spawn(self.order()) for _ in range(3)]
        await self.until(lambda: len(self.logged) == 3)
        await spawner.stop()
        for instance in instances:
            self.assertEqual(self.successResultOf(instance.gone), Gone("killed by SIGTERM"))
        for line in self.logged:
            self.assertEqual(aliveInGroup(int(line.partition("| ")[2])), [])
        self.assertRaises(SpawnFailed, spawner.spawn, self.order())


class AppTests(_Tests):
    """
    Tests of C{app:}.
    """

    def spawner(self, *command: str, **options: str) -> app.AppSpawner:
        """
        One for this app.
        """
        spawner = app.AppSpawner(app.AppOptions(**options), command, self.reactor)
        self.keep(spawner)
        return spawner

    async def test_life(self) -> None:
        """
        Each instance is ready at its own address; stopped, it is gone.
        """
        spawner = self.spawner("python", "-c", _SERVER)
        verifyObject(ISpawner, spawner)
        instances = [spawner.spawn(self.order()) for _ in range(2)]
        addresses = [await instance.ready for instance in instances]
        self.assertEqual({address.host for address in addresses}, {"127.0.0.1"})
        self.assertEqual(len({address.port for address in addresses}), 2)
        for instance in instances:
            verifyObject(IInstance, instance)
        instances[0].stop()
        self.assertEqual(await instances[0].gone, Gone("killed by SIGTERM"))
        self.assertNoResult(instances[1].gone)
        await spawner.stop()
        self.assertEqual(self.successResultOf(instances[1].gone), Gone("killed by SIGTERM"))

    async def test_surroundings(self) -> None:
        """
        The app learns its route, and nothing that is ours; what it prints is
        logged.
        """
        spawner = self.spawner("sh", "-c", 'echo "$ROUTE ${BRXY_TICKET-none} $1"', "sh", "{route}")
        await spawner.spawn(self.order(BRXY_TICKET="t1")).gone
        self.assertEqual(self.logged, ["t1| example.com none example.com"])

    async def test_ends(self) -> None:
        """
        An app that ends before it is ready has failed, whatever its status.
        """
        spawner = self.spawner("sh", "-c", "echo bad config; exit $STATUS")
        for status, reason in (("0", "exit status 0"), ("2", "exit status 2: bad config")):
            instance = spawner.spawn(self.order(STATUS=status))
            self.assertEqual(await instance.gone, Gone(reason))
            self.assertNoResult(instance.ready)

    def test_missing(self) -> None:
        """
        An app that is not there fails at once.
        """
        spawner = self.spawner("no-such-thing")
        error = self.assertRaises(SpawnFailed, spawner.spawn, self.order())
        self.assertEqual(str(error), "cannot run 'no-such-thing': no such executable on PATH")

    def test_missingAtStart(self) -> None:
        """
        What can't be run is reported when the spawner is made, too: it is looked for where
        the app will run.
        """
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        (path / "run").write_text("#!/bin/sh\n")
        (path / "run").chmod(0o700)
        with capturedLogs() as logged:
            self.spawner("./run", cwd=str(path))
            self.spawner("run", env=f"PATH={path}")
            self.spawner("{route}")
            self.assertEqual(logged, [])
            self.spawner("no-such-thing")
            self.spawner("true", ready_command="no-such-check {port}")
        self.assertEqual(
            [formatEvent(event) for event in logged],
            [
                f"cannot run {name!r}: no such executable on PATH; every start fails until it is "
                "there"
                for name in ("no-such-thing", "no-such-check")
            ],
        )

    async def test_options(self) -> None:
        """
        Its keys reach the app: this one is never ready, and has to be killed.
        """
        script = "import signal; signal.signal(15, 1); print(0, flush=True)\n" + _SERVER
        instance = self.spawner(
            "python", "-c", script, ready_path="/health", stop_timeout="0.05"
        ).spawn(self.order())
        await self.until(lambda: self.logged)
        instance.stop()
        reason = (await instance.gone).reason
        self.assertRegex(reason, "^the app .*; killed by SIGKILL$")
        self.assertNoResult(instance.ready)

    async def test_given(self) -> None:
        """
        The app gets the environment and the folder of the keys.
        """
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        (path / "env").write_text("A=a b\nB=1\n")
        spawner = self.spawner(
            *("sh", "-c", 'echo "$(pwd) $A $B $C"'),
            env="B=2,C={route}",
            env_file=str(path / "env"),
            cwd=str(path),
        )
        await spawner.spawn(self.order()).gone
        self.assertEqual(self.logged, [f"t1| {path} a b 2 example.com"])

    async def test_stopSignal(self) -> None:
        """
        The app is stopped by the signal of its key.
        """
        script = "trap 'exit 3' INT; echo up; while :; do sleep 0.01; done"
        instance = self.spawner("sh", "-c", script, stop_signal="INT").spawn(self.order())
        await self.until(lambda: self.logged)
        instance.stop()
        reason = (await instance.gone).reason
        self.assertRegex(reason, "^the app does not accept connections .*; exit status 3")

    async def test_onePort(self) -> None:
        """
        Of an app with a port of its own there is one instance at a time: another one is
        refused, and begins when the one before it ends if that is being stopped.
        """
        self.assertIsNone(self.spawner("true").limit)
        spawner = self.spawner("python", "-c", _SERVER, app_port=str(Ports().take()))
        self.assertEqual(ILimited(spawner).limit, 1)
        first = spawner.spawn(self.order())
        address = await first.ready
        error = self.assertRaises(SpawnFailed, spawner.spawn, self.order())
        self.assertIn(f"port {address.port} is taken by another instance", str(error))
        first.stop()
        second, third = spawner.spawn(self.order()), spawner.spawn
        self.assertRaises(SpawnFailed, third, self.order())
        self.assertEqual(await first.gone, Gone("killed by SIGTERM"))
        self.assertEqual(await second.ready, address)
        second.stop()
        fourth = spawner.spawn(self.order())
        fourth.stop()
        fourth.stop()
        self.assertEqual(await fourth.gone, Gone("stopped before it was started"))
        await second.gone
        fifth = spawner.spawn(self.order())
        self.assertEqual(await fifth.ready, address)
