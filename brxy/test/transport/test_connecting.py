"""
Tests of making and accepting connections, with brxy's own transport and with
Twisted's.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.endpoints import (
    connectProtocol,
)
from twisted.internet.error import (
    CannotListenError,
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionRefusedError,
    NotConnectingError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import (
    IConnector,
    IListeningPort,
)
from twisted.internet.protocol import Factory
from zope.interface.verify import verifyObject

from brxy.test.support.loopback.transports import (
    LITTLE,
    TCP,
    TCP6,
    TLS,
    UNIX,
    TransportTests,
    everywhere,
)
from brxy.test.support.memory.recorders import Dialer, Recorder, pause


@everywhere(TCP, TCP6, UNIX)
class DialingTests(TransportTests):
    """
    Tests of connectors.
    """

    async def test_life(self) -> None:
        """
        The factory of a connector is notified of each step.
        """
        port = self.listen()
        connector, dialer = self.connect(port.getHost())
        self.assertEqual(dialer.told, ["start", "connecting"])
        self.assertEqual(connector.state, "connecting")
        await self.until(lambda: len(self.protocols) == 2)
        self.assertEqual((connector.state, dialer.told[2:]), ("connected", ["built"]))
        self.assertRaises(RuntimeError, connector.connect)
        connector.disconnect()
        await self.untilLost(*self.protocols)
        self.assertEqual((connector.state, dialer.told[3:]), ("disconnected", ["lost", "stop"]))
        self.assertEqual(dialer.reasons, [ConnectionDone])
        self.assertEqual([each.reason for each in self.protocols], [ConnectionDone] * 2)

    async def test_destination(self) -> None:
        """
        A connector knows its destination from the beginning.
        """
        port = self.listen()
        connector, _ = self.connect(port.getHost())
        self.assertEqual(connector.getDestination(), port.getHost())
        self.assertTrue(verifyObject(IConnector, connector))

    async def test_aborted(self) -> None:
        """
        The factory is notified how the connection was lost.
        """
        port = self.listen()
        _, dialer = self.connect(port.getHost())
        await self.until(lambda: len(self.protocols) == 2)
        for each in self.protocols:
            each.transport.abortConnection()
        await self.untilStopped(dialer)
        self.assertEqual(dialer.reasons, [ConnectionAborted])

    async def test_refused(self) -> None:
        """
        A connection to a port where no server listens is refused, in a later
        turn.
        """
        _, address = self.bound()
        connector, dialer = self.connect(address)
        self.assertEqual(dialer.told, ["start", "connecting"])
        await self.untilStopped(dialer)
        self.assertEqual(dialer.told, ["start", "connecting", "failed", "stop"])
        self.assertEqual(dialer.reasons, [ConnectionRefusedError])
        self.assertEqual(connector.state, "disconnected")

    async def test_stoppedAtOnce(self) -> None:
        """
        An attempt may be stopped before it has begun.
        """
        port = self.listen()
        connector, dialer = self.connect(
            port.getHost(), connecting=lambda connector: connector.stopConnecting()
        )
        self.assertEqual(dialer.told, ["start", "connecting", "failed", "stop"])
        self.assertEqual(dialer.reasons, [UserError])
        await self.turns()
        self.assertEqual(len(dialer.told), 4)
        self.assertRaises(NotConnectingError, connector.stopConnecting)

    async def test_cancelled(self) -> None:
        """
        An endpoint's attempt may be cancelled, and leaves no connection
        behind.
        """
        port = self.listen(lambda: None)
        attempt = self.endpoint(port.getHost()).connect(Factory.forProtocol(Recorder))
        attempt.cancel()
        with self.assertRaises(ConnectingCancelledError):
            await attempt
        await self.turns()

    async def test_reconnecting(self) -> None:
        """
        A connector that lost its connection may connect again at once.
        """
        left = [1, 2]

        def again(connector: Any) -> None:
            if left:
                left.pop()
                connector.connect()

        def leave(protocol: Recorder) -> None:
            protocol.transport.loseConnection()

        port = self.listen(lambda: Recorder(made=leave))
        _, dialer = self.connect(port.getHost(), lost=again)
        await self.untilStopped(dialer)
        step = ["connecting", "built", "lost"]
        self.assertEqual(dialer.told, ["start", *step, *step, *step, "stop"])
        await self.until(lambda: len(self.protocols) == 6)

    async def test_tryingAgain(self) -> None:
        """
        A connector that was refused may try again at once.
        """
        sock, address = self.bound()

        def again(connector: Any) -> None:
            if len(dialer.reasons) == 3:
                sock.listen()
            connector.connect()

        _, dialer = self.connect(address, failed=again)
        await self.until(lambda: "built" in dialer.told)
        self.assertEqual(
            dialer.told, ["start", *["connecting", "failed"] * 3, "connecting", "built"]
        )

    async def test_endpoint(self) -> None:
        """
        An endpoint returns the connected protocol, or fails with the reason.
        """
        server = Recorder()
        port = self.listen(lambda: server)
        client = self.noted(Recorder)()
        self.assertIs(await connectProtocol(self.endpoint(port.getHost()), client), client)
        client.transport.write(LITTLE)
        await self.untilReceived(server, LITTLE)
        _, address = self.bound()
        with self.assertRaises(ConnectionRefusedError):
            await connectProtocol(self.endpoint(address), Recorder())

    async def test_noClient(self) -> None:
        """
        A client's factory may decline a connection by building no protocol.
        """
        server = Recorder()
        port = self.listen(lambda: server)
        _, dialer = self.connect(port.getHost(), lambda: None)
        await self.untilStopped(dialer)
        self.assertEqual(dialer.told, ["start", "connecting", "built", "lost", "stop"])
        await self.untilLost(server)
        self.assertEqual((server.told, server.reason), (["made", "lost"], ConnectionDone))

    async def test_noServer(self) -> None:
        """
        A server's factory may decline a connection, which then ends.
        """
        port = self.listen(lambda: None)
        _, dialer = self.connect(port.getHost())
        await self.until(lambda: dialer.told[-1] == "stop")
        self.assertIn(dialer.told[-2], ("failed", "lost"))


@everywhere(TCP, TCP6, UNIX, TLS)
class GreetingTests(TransportTests):
    """
    Tests of what a server does first.
    """

    async def test_serverFirst(self) -> None:
        """
        A server may send before the client does.
        """

        def greet(protocol: Recorder) -> None:
            protocol.transport.write(LITTLE)

        client, server = await self.pair(server=Recorder(made=greet))
        await self.untilReceived(client, LITTLE)
        server.transport.write(b"more")
        await self.untilReceived(client, LITTLE + b"more")

    async def test_clientPaused(self) -> None:
        """
        A client that is paused from the start gets those bytes when it reads.
        """

        def greet(protocol: Recorder) -> None:
            protocol.transport.write(LITTLE)

        client, _ = await self.pair(Recorder(**{self.kind.ready: pause}), Recorder(made=greet))
        await self.turns()
        client.transport.resumeProducing()
        await self.untilReceived(client, LITTLE)

    async def test_refusing(self) -> None:
        """
        A server may send a reason, and close.
        """

        def refuse(protocol: Recorder) -> None:
            protocol.transport.write(b"busy")
            protocol.transport.loseConnection()
            self.assertIsNone(protocol.reason)

        client, server = Recorder(), Recorder(**{self.kind.ready: refuse})
        port = self.listen(lambda: server)
        self.connect(port.getHost(), lambda: client)
        await self.untilLost(client, server)
        self.assertReceived(client, b"busy")
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))

    async def test_cutting(self) -> None:
        """
        A server may abort the connection. For the client the attempt then
        failed, or the connection is lost.
        """

        def cut(protocol: Recorder) -> None:
            protocol.transport.abortConnection()

        port = self.listen(lambda: Recorder(made=cut))
        _, dialer = self.connect(port.getHost())
        await self.until(lambda: dialer.told[-1] == "stop")
        self.assertIn(dialer.told[-2], ("failed", "lost"))
        self.assertEqual(len(dialer.reasons), 1)


@everywhere(TCP, TCP6)
class PendingTests(TransportTests):
    """
    Tests of attempts that take long.
    """

    async def test_timeout(self) -> None:
        """
        An attempt ends with its timeout.
        """
        _, dialer = self.connect(self.busy(), timeout=0.05)
        await self.untilStopped(dialer)
        self.assertEqual(dialer.told, ["start", "connecting", "failed", "stop"])
        self.assertEqual(dialer.reasons, [TimeoutError])

    async def test_stopped(self) -> None:
        """
        An attempt can be stopped, by either method of the connector.
        """
        address = self.busy()
        ways: list[Callable[[Any], object]] = [
            lambda connector: connector.stopConnecting(),
            lambda connector: connector.disconnect(),
        ]
        for stop in ways:
            connector, dialer = self.connect(address)
            await self.turns()
            self.assertEqual(dialer.told, ["start", "connecting"])
            stop(connector)
            self.assertEqual(dialer.told, ["start", "connecting", "failed", "stop"])
            self.assertEqual(dialer.reasons, [UserError])

    async def test_cancelled(self) -> None:
        """
        An endpoint's attempt can be cancelled.
        """
        attempt = self.endpoint(self.busy()).connect(Factory.forProtocol(Recorder))
        await self.turns()
        attempt.cancel()
        with self.assertRaises(ConnectingCancelledError):
            await attempt


@everywhere(UNIX)
class UNIXTests(TransportTests):
    """
    Tests of what is peculiar to Unix sockets.
    """

    async def test_missing(self) -> None:
        """
        An attempt fails if there is no such file.
        """
        _, dialer = self.connect(UNIXAddress(f"{self.folder}/none".encode()))
        await self.untilStopped(dialer)
        self.assertEqual(dialer.reasons, [ConnectError])

    async def test_busy(self) -> None:
        """
        A port whose queue is full accepts nothing, and the attempt fails.
        """
        _, dialer = self.connect(self.busy())
        await self.untilStopped(dialer)
        self.assertEqual(dialer.told, ["start", "connecting", "failed", "stop"])
        self.assertEqual(dialer.reasons, [ConnectError])

    async def test_mode(self) -> None:
        """
        The file has the requested mode, and is removed with the port.
        """
        path = f"{self.folder}/mode".encode()
        for mode in (0o600, 0o666):
            port = self.tested.listenUNIX(path, Factory(), mode=mode)
            found = os.stat(path).st_mode
            self.assertTrue(stat.S_ISSOCK(found))
            self.assertEqual(stat.S_IMODE(found), mode)
            await port.stopListening()
            self.assertFalse(os.path.exists(path))

    async def test_lock(self) -> None:
        """
        A lock file can show that a server listens.
        """
        path = f"{self.folder}/locked".encode()
        port = self.tested.listenUNIX(path, Factory.forProtocol(Recorder), wantPID=1)
        self.assertTrue(os.path.lexists(path + b".lock"))
        dialer = Dialer(self.noted(Recorder))
        self.tested.connectUNIX(path, dialer, checkPID=1)
        await self.until(lambda: "built" in dialer.told)
        await port.stopListening()
        self.assertFalse(os.path.lexists(path + b".lock"))


@everywhere(TCP, TCP6, UNIX, TLS)
class ListeningTests(TransportTests):
    """
    Tests of ports.
    """

    def relisten(self, address: Any) -> Any:
        """
        Listen at the address of an earlier port.
        """
        if self.kind is UNIX:
            return self.tested.listenUNIX(address.name, Factory.forProtocol(Recorder))
        return self.tested.listenTCP(
            address.port, Factory.forProtocol(Recorder), interface=self.kind.host
        )

    async def test_stopped(self) -> None:
        """
        A port that has stopped listening accepts no connections, but accepted
        ones stay. Another port may listen on its address.
        """
        client, server = await self.pair()
        (port,) = self.ports
        address = port.getHost()
        await port.stopListening()
        _, dialer = self.connect(address)
        await self.until(lambda: dialer.told[-1] == "stop")
        self.assertEqual(dialer.told[2:], ["failed", "stop"])
        client.transport.write(b"still here")
        await self.untilReceived(server, b"still here")
        again = self.relisten(address)
        self.assertEqual(again.getHost(), address)
        await again.stopListening()

    async def test_taken(self) -> None:
        """
        Two ports can't listen on one address.
        """
        port = self.listen()
        self.assertRaises(CannotListenError, self.relisten, port.getHost())

    async def test_interface(self) -> None:
        """
        A port provides its interface, and notifies its factory when it begins
        and ends.
        """
        port = self.listen()
        self.assertTrue(verifyObject(IListeningPort, port))
        self.assertEqual(port.factory.numPorts, 1)
        await port.stopListening()
        self.assertEqual(port.factory.numPorts, 0)
        port.startListening()
        await self.pair()

    async def test_crowd(self) -> None:
        """
        When many clients connect at once, all are accepted.
        """
        port = self.listen(backlog=300)
        raw = TCP if self.kind is TLS else self.kind
        socks = [socket.socket(raw.family) for _ in range(300)]
        for sock in socks:
            self.addCleanup(sock.close)
            sock.connect(raw.name(port.getHost()))
        await self.until(lambda: len(self.protocols) == 300)
        self.assertEqual({tuple(each.told) for each in self.protocols}, {("made",)})
