"""
Tests of an edge whose settings change while it serves.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import EdgeSettings, Spawn, Spawning
from brxy.edge.events import Event
from brxy.edge.reload.changes import Changes
from brxy.edge.reload.reloader import Outcome, Reading
from brxy.edge.startstop import NeedsRestart, Reloaded
from brxy.errors import UsageError
from brxy.scaler.rolls import OnChange
from brxy.scaler.rules import Rule
from brxy.spawners.registry import buildSpawner
from brxy.spawners.spec import parseSpawn
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Peer, answer, connect, webApp
from brxy.test.support.loopback.spawning import FrontedSpawner, NodeSpawner

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

#: An app that answers with its name and its process, and echoes what an upgraded connection
#: sends.
_APP = """
import asyncio, os, sys
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            if b"upgrade: websocket" in head.lower():
                writer.write(b"HTTP/1.1 101 Switching Protocols\\r\\n"
                             b"Upgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n")
                while data := await reader.read(100):
                    writer.write(data)
                break
            body = f"{sys.argv[2]} {os.getpid()}".encode()
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""


class _Reader:
    """
    Reads what a test says.
    """

    def __init__(self) -> None:
        self.reading: Reading | Exception | None = None

    async def __call__(self, before: EdgeSettings) -> Reading:
        if isinstance(self.reading, Exception):
            raise self.reading
        return Reading(before) if self.reading is None else self.reading


class ChangeTestsBase(EdgeTests):
    """
    Base of tests of changes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reader = _Reader()
        self.happened: list[Event] = []

    def start(self, *spawns: Spawn, **settings: Any) -> None:
        """
        Start an edge that may read its settings again.
        """
        self.startEdge(read=self.reader, **settings)
        self.reader.reading = Reading(evolve(self.settings, spawns=spawns))
        emit = self.edge.parts.events.emit

        def note(event: Event) -> None:
            self.happened.append(event)
            emit(event)

        self.patch(self.edge.parts.events, "emit", note)

    @property
    def settings(self) -> EdgeSettings:
        """
        Those that hold.
        """
        return self.edge.parts.reloader.settings

    async def change(self, *problems: str, **settings: Any) -> Outcome:
        """
        Have these settings be read again.
        """
        self.reader.reading = Reading(evolve(self.settings, **settings), problems)
        return await self.edge.reload()

    async def get(self, host: str) -> tuple[int, str]:
        """
        Send a request on a connection of its own.

        @return: the status and the body.
        """
        found = await self.ask(_GET.replace(b"Host: a", b"Host: " + host.encode()))
        return found.status, found.body.decode()


class ChangeTests(ChangeTestsBase):
    """
    Tests of changes of an edge, with apps in the process of the test.
    """

    def setUp(self) -> None:
        super().setUp()
        self.app = webApp(answer())
        self.address = self.startApp(self.app)

    def spawn(self, host: str | None, name: str, spawner: Any = None, **values: Any) -> Spawn:
        """
        @return: a spawn that starts instances by a spawner.
        """
        if spawner is None:
            spawner = self.spawner_type(self.edge_reactor, lambda order: self.address)
        times = {
            key: values.pop(key) for key in ("idle_timeout", "old_idle_timeout") if key in values
        }
        on_change = values.pop("on_change", OnChange.ROLL)
        limits = {"max_instances": 10, "capacity": 1, **values}
        spawning = Spawning(spawner, **{"idle_timeout": 300.0, "old_idle_timeout": 10.0, **times})
        return Spawn(Rule(host, name=name, **limits), spawning, on_change=on_change)

    async def begin_with(self, *spawns: Spawn, **settings: Any) -> None:
        """
        Start an edge with these spawns.
        """
        if self.spawner_type.dials_back:
            settings.setdefault("node_ports", [LOOPBACK])
        self.start(**settings)
        await self.change(spawns=spawns)

    async def test_nothing(self) -> None:
        """
        If nothing has changed, nothing is touched.
        """
        spawner: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        await self.begin_with(self.spawn("a", "a", spawner))
        await self.get("a")
        outcome = await self.change(spawns=[self.spawn("a", "a", spawner)])
        self.assertEqual(outcome, Outcome(Changes()))
        self.assertEqual((len(spawner.orders), len(spawner.alive)), (1, 1))
        *_, event = self.happened
        self.assertIsInstance(event, Reloaded)

    async def test_added(self) -> None:
        """
        A new spawn serves at once.
        """
        await self.begin_with(self.spawn("a", "a"))
        self.assertEqual((await self.get("b"))[0], 404)
        outcome = await self.change(spawns=[*self.settings.spawns, self.spawn("b", "b")])
        self.assertEqual(outcome.changes, Changes(added=("b",)))
        self.assertEqual((await self.get("b"))[0], 200)

    async def test_removed(self) -> None:
        """
        A spawn that is not configured any more: its route is not known, its instances finish
        what they have, and its spawner is stopped when they are gone.
        """
        spawner: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        await self.begin_with(self.spawn("a", "a", spawner), self.spawn("b", "b"))
        await self.get("a")
        outcome = await self.change(spawns=self.settings.spawns[1:])
        self.assertEqual(outcome.changes, Changes(removed=("a",)))
        self.assertEqual(await self.get("a"), (404, "no such app\n"))
        await self.until(lambda: not spawner.alive)
        self.assertEqual((await self.get("b"))[0], 200)
        self.assertEqual(len(spawner.orders), 1)

    async def test_removedWhileHeld(self) -> None:
        """
        Clients that are held for a route that is removed are answered.
        """
        spawner: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        spawner.holding = True
        await self.begin_with(self.spawn("a", "a", spawner))
        held = await self.connect()
        held.write(_GET)
        await self.until(lambda: spawner.orders)
        await self.change(spawns=[self.spawn("b", "b")])
        self.assertEqual((await held.answer()).status, 404)
        await self.until(lambda: not spawner.alive)

    async def test_replaced(self) -> None:
        """
        Instances of a spawn that starts other ones are rolled: newer ones come from the new
        spawner, and the older end when theirs are ready.
        """
        before: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        after: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        await self.begin_with(self.spawn("a", "a", before))
        await self.get("a")
        after.holding = True
        outcome = await self.change(spawns=[self.spawn("a", "a", after)])
        self.assertEqual(outcome.changes, Changes(replaced={"a": OnChange.ROLL}))
        await self.until(lambda: after.orders)
        self.assertEqual((await self.get("a"))[0], 200)
        self.assertEqual(len(before.alive), 1)
        after.release()
        await self.until(lambda: not before.alive)
        self.assertEqual((len(before.orders), len(after.orders)), (1, 1))
        self.assertEqual((await self.get("a"))[0], 200)

    async def test_replacedNext(self) -> None:
        """
        With C{next}, the older ones stay.
        """
        before: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        after: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        await self.begin_with(self.spawn("a", "a", before))
        await self.get("a")
        await self.change(spawns=[self.spawn("a", "a", after, on_change=OnChange.NEXT)])
        self.assertEqual((await self.get("a"))[0], 200)
        self.assertEqual((len(before.alive), after.orders), (1, []))

    async def test_stopped(self) -> None:
        """
        When the edge stops, the instances of a spawner that was replaced end, too.
        """
        before: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        await self.begin_with(self.spawn("a", "a", before))
        await self.get("a")
        await self.change(spawns=[self.spawn("a", "a", on_change=OnChange.NEXT)])
        await self.edge.stopService()
        self.assertEqual(before.alive, [])

    async def test_idleTimeout(self) -> None:
        """
        Another idle timeout holds at once, also for instances that the edge fronts; nothing
        is started for it.
        """
        spawner: Any = FrontedSpawner(self.edge_reactor, lambda order: self.address)
        await self.begin_with(self.spawn("a", "a", spawner))
        await self.get("a")
        outcome = await self.change(spawns=[self.spawn("a", "a", spawner, idle_timeout=0.1)])
        self.assertEqual(outcome.changes, Changes(adjusted=("a",)))
        await self.until(lambda: not spawner.alive)
        self.assertEqual(len(spawner.orders), 1)

    async def test_holdTimeout(self) -> None:
        """
        A shorter hold timeout holds for those that wait already.
        """
        spawner: Any = self.spawner_type(self.edge_reactor, lambda order: self.address)
        spawner.holding = True
        await self.begin_with(self.spawn("a", "a", spawner))
        held = await self.connect()
        held.write(_GET)
        await self.until(lambda: spawner.orders)
        outcome = await self.change(hold_timeout=0.1, retries=7, limits=Limits(max_body=10))
        self.assertEqual(set(outcome.changes.settings), {"hold-timeout", "retries", "max-body"})
        self.assertEqual((await held.answer()).status, 503)
        self.assertEqual(self.edge.parts.dispatch.retries, 7)
        large = await self.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n" + b"x" * 11, b"POST"
        )
        self.assertEqual(large.status, 413)

    async def test_ports(self) -> None:
        """
        Ports are opened and closed; the connections of a closed one stay.
        """
        await self.begin_with(self.spawn("a", "a"))
        kept = await self.connect()
        kept.write(_GET)
        await kept.answer()
        ports = ["tcp:0:interface=127.0.0.2", *self.settings.ports]
        outcome = await self.change(ports=ports)
        self.assertEqual(outcome.changes, Changes(settings=("port",)))
        [first, second] = self.edge.addresses
        self.assertEqual((first.host, second.host), ("127.0.0.2", "127.0.0.1"))
        await self.change(ports=ports[:1])
        self.assertEqual(self.edge.addresses, [first])
        with self.assertRaises(ConnectionRefusedError):
            await connect(self.reactor, second)
        kept.write(_GET)
        self.assertEqual((await kept.answer()).status, 200)
        self.assertEqual((await self.get("a"))[0], 200)

    async def test_portInUse(self) -> None:
        """
        If a port can't be opened, nothing is changed.
        """
        await self.begin_with(self.spawn("a", "a"))
        before, nodes = self.edge.addresses, self.edge.node_addresses
        taken = f"tcp:{self.address.port}:interface=127.0.0.1"
        outcome = await self.change(
            ports=[*self.settings.ports, taken],
            node_ports=[*self.settings.node_ports, LOOPBACK],
            spawns=[self.spawn("b", "b")],
        )
        [problem] = outcome.problems
        self.assertIn(str(self.address.port), problem)
        self.assertEqual((self.edge.addresses, self.edge.node_addresses), (before, nodes))
        self.assertEqual([each.rule.name for each in self.settings.spawns], ["a"])
        self.assertEqual((await self.get("a"))[0], 200)

    async def test_nodePort(self) -> None:
        """
        A spawn whose nodes dial back has a port opened for them.
        """
        self.start()
        spawner = NodeSpawner(self.edge_reactor, lambda order: self.address)
        self.app.probed = True
        await self.change(spawns=[self.spawn("a", "a", spawner)], node_ports=[LOOPBACK])
        self.assertEqual(len(self.edge.node_addresses), 1)
        self.assertEqual((await self.get("a"))[0], 200)

    async def test_restartNeeded(self) -> None:
        """
        What needs a restart is reported, and ignored until then.
        """
        await self.begin_with(self.spawn("a", "a"))
        before = self.settings.half_closed
        outcome = await self.change(half_closed="serve")
        self.assertEqual(outcome.changes, Changes(restart=("half-closed",)))
        self.assertEqual(self.settings.half_closed, before)
        self.assertIn(NeedsRestart("half-closed"), self.happened)

    async def test_unusable(self) -> None:
        """
        If nothing can be used of what is read, nothing changes, and each line is reported.
        """
        await self.begin_with(self.spawn("a", "a"))
        self.reader.reading = UsageError("brxy.toml:1: bad\nbrxy.toml:2: worse")
        outcome = await self.edge.reload()
        problems = ("brxy.toml:1: bad", "brxy.toml:2: worse")
        self.assertEqual(outcome, Outcome(Changes(), problems))
        self.assertEqual(self.edge.parts.reloader.problems, problems)
        self.assertEqual((await self.get("a"))[0], 200)

    async def test_inTurn(self) -> None:
        """
        A reload that is requested during another one follows it.
        """
        await self.begin_with()
        self.reader.reading = Reading(evolve(self.settings, spawns=[self.spawn("a", "a")]))
        first = self.edge.reload()
        self.reader.reading = Reading(evolve(self.settings, spawns=[self.spawn("b", "b")]))
        second = self.edge.reload()
        self.assertEqual((await first).changes, Changes(added=("a",)))
        self.assertEqual((await second).changes, Changes(added=("b",), removed=("a",)))

    async def test_signal(self) -> None:
        """
        SIGHUP has the settings read again.
        """
        await self.begin_with()
        self.reader.reading = Reading(evolve(self.settings, spawns=[self.spawn("a", "a")]))
        os.kill(os.getpid(), signal.SIGHUP)
        await self.until(lambda: self.settings.spawns)
        self.assertEqual((await self.get("a"))[0], 200)


class ChangeTwoHopsTests(ChangeTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class LoadTests(ChangeTestsBase):
    """
    Tests of changes under load, with apps that are processes.
    """

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.mkdtemp()
        self.program = Path(folder, "app.py")
        self.program.write_text(_APP)
        self.addCleanup(self.program.parent.rmdir)
        self.addCleanup(self.program.unlink)
        self.failed: list[tuple[str, int, str]] = []
        self.answered: dict[str, set[str]] = {}
        self.loaded: set[str] = set()

    def spawns(self, apps: Mapping[str, str], **limits: str) -> list[Spawn]:
        """
        @param apps: by host, what each app answers with.
        """
        found = []
        for host, text in apps.items():
            keys = " ".join(f"{key}={value}" for key, value in limits.items())
            command = shlex.join([sys.executable, "-S", str(self.program)])
            spec = parseSpawn(f"app: route={host} {keys} -- {command} {{port}} {text}")
            common, spawner = buildSpawner(spec, self.edge_reactor)
            rule = Rule(host, common.max or 2, 4, host)
            found.append(Spawn(rule, Spawning(spawner, 300.0, 0.2), spec))
        return found

    async def load(self, host: str) -> None:
        """
        Send one request after the other, on one connection, while a host is loaded.
        """
        peer = await self.connect()
        while host in self.loaded:
            peer.write(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode())
            found = await peer.answer()
            text = found.body.decode()
            if found.status != 200:
                self.failed.append((host, found.status, text))
            self.answered.setdefault(host, set()).add(text)

    async def websocket(self, host: str) -> Peer:
        """
        Open an upgraded connection.
        """
        peer = await self.connect()
        peer.write(
            b"GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            % host.encode()
        )
        await peer.takeThrough(b"\r\n\r\n")
        return peer

    async def echoes(self, peer: Peer) -> bool:
        """
        Whether an upgraded connection still works.
        """
        peer.write(b"ping")
        return await peer.take(4) == b"ping"

    async def test_five(self) -> None:
        """
        One of five apps changes, one is removed, one is broken, one is added: no request
        fails, no connection is closed, and only what changed rolls.
        """
        apps = {name: "one" for name in ("changed", "removed", "broken", "kept", "idle")}
        self.start()
        await self.change(spawns=self.spawns(apps))
        sockets = {host: await self.websocket(host) for host in apps}
        self.loaded = {"changed", "broken", "kept", "idle"}
        loads = [Deferred.fromCoroutine(self.load(host)) for host in self.loaded for _ in "ab"]
        await self.until(lambda: len(self.answered) == 4)
        before = {host: set(texts) for host, texts in self.answered.items()}
        wanted = {**apps, "changed": "two", "added": "one"}
        del wanted["removed"]
        read = self.spawns(wanted)
        outcome = await self.change("broken.toml:1: bad", spawns=read)
        self.assertEqual(
            outcome,
            Outcome(
                Changes(("added",), ("removed",), (), {"changed": OnChange.ROLL}),
                ("broken.toml:1: bad",),
            ),
        )
        await self.until(lambda: any("two" in text for text in self.answered["changed"]))
        self.assertEqual((await self.get("removed"))[0], 404)
        self.assertEqual((await self.get("added"))[0], 200)
        for host, peer in sockets.items():
            self.assertTrue(await self.echoes(peer), host)
        self.loaded.clear()
        for each in loads:
            await each
        self.assertEqual(self.failed, [])
        for host in ("broken", "kept", "idle"):
            self.assertEqual(self.answered[host], before[host], host)
        self.assertIn("two", (await self.get("changed"))[1])
        # What was replaced or removed ends with its last connection.
        scaler = self.edge.parts.scaler
        self.assertEqual(len(scaler.instances("removed")), 1)
        for peer in sockets.values():
            peer.close()
        await self.until(lambda: not scaler.instances("removed"))
        await self.until(lambda: len(scaler.instances("changed")) == 1)
