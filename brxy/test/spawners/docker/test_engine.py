"""
Tests of L{brxy.spawners.docker.engine}, L{brxy.spawners.docker.watch} and
L{brxy.spawners.docker.ending}: what goes wrong with a daemon.
"""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadSpawnSpec
from brxy.spawners.api.errors import Unreachable
from brxy.spawners.docker.ending import exitReason, startFailed
from brxy.spawners.docker.engine import Engine
from brxy.spawners.docker.watch import Watch
from brxy.test.support.loopback.leftovers import RealTests


class EndingTests(SynchronousTestCase):
    """
    Tests of L{exitReason} and L{startFailed}.
    """

    def test_reasons(self) -> None:
        """
        Signals are named, and failures have the last line.
        """
        for status, line, reason in (
            (0, "bye", "exit status 0"),
            (1, "", "exit status 1"),
            (1, "no such module", "exit status 1: no such module"),
            (143, "bye", "killed by SIGTERM"),
            (255, "ssh", "exit status 255: ssh"),
            (127, "sh: x: not found", "exit status 127: sh: x: not found"),
            (
                127,
                "[FATAL tini (7)] exec x failed: No such file or directory",
                "can't run 'x' in the image: No such file or directory",
            ),
        ):
            self.assertEqual(exitReason(status, line), reason)

    def test_startFailed(self) -> None:
        """
        Only the part of runc's message that matters is reported.
        """
        said = 'failed to create shim task: exec: "x": executable file not found in $PATH: unknown'
        for message, reason in (
            (said, "can't run 'x': executable file not found in $PATH"),
            ("network a not found", "network a not found"),
        ):
            self.assertEqual(startFailed(message), reason)


class _HangsUp(Protocol):
    """
    A daemon that breaks off.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Begin an answer.
        """
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[")
        self.transport.loseConnection()


class EngineTests(RealTests):
    """
    Tests of L{Engine}, with what a daemon never does.
    """

    def serve(self, protocol: type[Protocol]) -> Engine:
        """
        @return: a client of something that is no daemon.
        """
        factory = Factory.forProtocol(protocol)
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return Engine(self.reactor, f"tcp://127.0.0.1:{port.getHost().port}")

    async def error(self, engine: Engine, **more: float) -> str:
        """
        @return: what a request fails with.
        """
        try:
            await engine.request("GET", "/info", **more)  # type: ignore[arg-type]
        except Unreachable as error:
            return str(error).partition("can't be reached: ")[2]
        raise AssertionError("it did not fail")

    async def test_hangsUp(self) -> None:
        """
        An answer that breaks off is none.
        """
        self.assertEqual(await self.error(self.serve(_HangsUp)), "it hung up")

    async def test_silent(self) -> None:
        """
        Nor is one that does not come.
        """
        reason = await self.error(self.serve(Protocol), timeout=0.1)
        self.assertEqual(reason, "no answer within 0.1 s")

    async def test_refused(self) -> None:
        """
        A closed port is reported as such.
        """
        port = self.reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        engine = Engine(self.reactor, f"tcp://127.0.0.1:{number}")
        self.assertEqual(await self.error(engine), "Connection refused")

    def test_addresses(self) -> None:
        """
        What is no address is said.
        """
        for host in ("", "here", "unix://a", "tcp://", "tcp://a:b", "ssh://a", "http://a"):
            self.assertRaises(BadSpawnSpec, Engine, self.reactor, host)


class _Silent(Protocol):
    """
    A daemon with a stream of events of which none ever comes, that removes nothing.

    @cvar streams: the connections with such a stream.
    """

    streams: ClassVar[set[_Silent]] = set()

    def dataReceived(self, data: bytes) -> None:
        """
        Begin an answer, or refuse.
        """
        assert self.transport is not None
        if data.startswith(b"DELETE "):
            self.transport.write(b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n")
        else:
            self.streams.add(self)
            self.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self.streams.discard(self)


class WatchTests(RealTests):
    """
    Tests of L{Watch}, with what a real daemon does rarely.
    """

    def setUp(self) -> None:
        super().setUp()
        port = self.reactor.listenTCP(0, Factory.forProtocol(_Silent), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.engine = Engine(self.reactor, f"tcp://127.0.0.1:{port.getHost().port}")
        self.changed: list[str] = []
        self.logged: list[LogEvent] = []
        observe: Any = self.logged.append
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        # What other tests left may still be closing.
        _Silent.streams.clear()

    def watch(self, renew: float) -> Watch:
        watch = Watch(self.reactor, self.engine, {}, self.changed.append, renew)
        self.addCleanup(watch.stop)
        return watch

    def warnings(self) -> list[str | None]:
        """
        @return: what was logged as a warning or worse.
        """
        return [formatEvent(each) for each in self.logged if each["log_level"] >= LogLevel.warn]

    async def test_renewed(self) -> None:
        """
        A stream that has lasted its time is followed by another, and every container
        is checked; nothing is wrong, so that the log has no warning.
        """
        await self.watch(0.05).up()
        await self.until(lambda: len(self.changed) > 2)
        self.assertEqual(set(self.changed), {""})
        self.assertEqual(self.warnings(), [])

    async def test_notRemoved(self) -> None:
        """
        While a container can't be removed that should be, its stream is not left open
        beside the next one; the log has one warning for each.
        """
        watch = self.watch(300)
        watch.doom("brxy-1")
        await watch.up()
        await self.until(lambda: len(self.changed) > 1 and len(self.warnings()) > 1)
        await self.until(lambda: not _Silent.streams)
        self.assertEqual(set(self.warnings()), {"dockerd answered with status 500"})
