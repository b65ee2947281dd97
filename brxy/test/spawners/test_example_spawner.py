"""
Tests of the example in C{examples/spawner}: a spawner that is not part of brxy.
"""

from __future__ import annotations

import importlib
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

from twisted.internet.protocol import DatagramProtocol
from zope.interface.verify import verifyObject

import brxy
from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.interfaces import IInstance, ISpawner, ISpawnerFactory, SpawnOrder
from brxy.spawners.registry import GROUP, buildSpawner, findSpawner
from brxy.spawners.spec import optionKeys
from brxy.test.support.loopback.edges import EdgeTests, spawnRule
from brxy.test.support.loopback.peers import answer, webApp

EXAMPLE = Path(brxy.__file__).parent.parent / "examples" / "spawner"

MAC = "02:00:5e:10:00:01"

# Magic is six times FF, and sixteen times the address.
PACKET = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) * 16


class _Mailbox(DatagramProtocol):
    """
    Keeps what it is sent.
    """

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.packets.append(datagram)


class WakeTests(EdgeTests):
    """
    C{wake:} is found by its entry point, and serves.
    """

    def setUp(self) -> None:
        """
        Make the example look installed to Python.
        """
        super().setUp()
        setup = ConfigParser()
        setup.read(EXAMPLE / "setup.cfg")
        metadata = Path(self.mktemp()).absolute() / "brxy_wake-1.0.dist-info"
        metadata.mkdir(parents=True)
        entries = setup["options.entry_points"][GROUP]
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: brxy-wake\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}\n")
        for folder in (EXAMPLE, metadata.parent):
            sys.path.insert(0, str(folder))
            self.addCleanup(sys.path.remove, str(folder))
        self.addCleanup(sys.modules.pop, "brxy_wake", None)
        importlib.invalidate_caches()
        self.mailbox = _Mailbox()
        port = self.reactor.listenUDP(0, self.mailbox, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.packet_to = f"packet-to=127.0.0.1:{port.getHost().port}"

    def build(self, app: str, *more: str) -> Any:
        """
        Make the spawner by its name.
        """
        spec = " ".join(["wake:", f"mac={MAC}", f"app={app}", self.packet_to, *more])
        return buildSpawner(spec, self.reactor)[1]

    def test_interfaces(self) -> None:
        """
        Its factory, spawner and instances are what they have to be, with help
        for each key.
        """
        factory = findSpawner("wake")
        verifyObject(ISpawnerFactory, factory)
        self.assertEqual(factory.name, "wake")
        for each in optionKeys(factory.options).values():
            self.assertTrue(each.metadata["help"])
        spawner = self.build("127.0.0.1:1")
        verifyObject(ISpawner, spawner)
        instance = spawner.spawn(SpawnOrder("t1", "default", 1))
        verifyObject(IInstance, instance)
        instance.stop()

    async def test_serves(self) -> None:
        """
        A held client has one packet sent, and its answer comes from the
        machine that woke up.
        """
        address = self.startApp(webApp(answer(b"awake")))
        self.startEdge(spawnRule(self.build(str(address)), max_instances=1))
        message = await self.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((message.status, message.body), (200, b"awake"))
        await self.until(lambda: self.mailbox.packets)
        self.assertEqual(self.mailbox.packets, [PACKET])

    def test_stopped(self) -> None:
        """
        While the machine has not woken up a second is not to be had; stopped
        it is gone, once, and can be woken again.
        """
        spawner = self.build("127.0.0.1:1")
        instance = spawner.spawn(SpawnOrder("t1", "default", 1))
        self.assertRaises(SpawnFailed, spawner.spawn, SpawnOrder("t2", "default", 1))
        instance.stop()
        instance.stop()
        self.assertEqual(self.successResultOf(instance.gone).reason, "left to sleep")
        self.assertNoResult(instance.ready)
        again = spawner.spawn(SpawnOrder("t3", "default", 1))
        self.successResultOf(spawner.stop())
        self.successResultOf(again.gone)

    def test_bad(self) -> None:
        """
        Values that it can't use are reported in one line.
        """
        for spec, message in (
            ("wake: app=127.0.0.1:80", "wake: needs mac="),
            (
                "wake: mac=1 app=127.0.0.1:80",
                "wake: bad value for mac: '1' (six bytes are needed, as 02:00:5e:10:00:01)",
            ),
            (f"wake: mac={MAC} app=box", "wake: bad value for app: 'box' (HOST:PORT is needed)"),
            (f"wake: mac={MAC} app=127.0.0.1:80 -- true", "wake: takes no command"),
        ):
            error = self.assertRaises(BadSpawnSpec, buildSpawner, spec, self.reactor)
            self.assertEqual(str(error), message)
