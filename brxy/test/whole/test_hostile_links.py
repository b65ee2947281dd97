"""
Tests of slots whose bytes get lost or altered on the way, while other slots
are busy.

A flipped bit in the content of an exchange can't be detected: frames have no
checksum, and rely on those of TCP and TLS. So these tests check nothing about
exchanges on the slot with the fault, which may even be sent twice if an ACCEPT
turns into a REFUSE. All others must be right to the byte.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from brxy.edge.config.settings import EdgeSettings
from brxy.edge.service import EdgeService
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests, spawnRule
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.links import FROM_EDGE, FROM_NODE, BadLink, BadLinkSpawner, Fault
from brxy.test.support.loopback.peers import App, Broken, Peer, answer, connect
from brxy.test.support.loopback.tiers import tier

#: The number of slots of the instance, and of clients at the same time.
SLOTS = 3

#: The methods of each client's requests, in order.
METHODS = (b"GET", b"POST", b"GET", b"PUT")

#: Seconds for a response, and how long a client waits: longer than all limits of the edge
#: together.
RESPONSE_TIMEOUT = 5.0
PATIENCE = 15.0


@frozen
class Outcome:
    """
    The result of one request.

    @ivar status: 0 if there was no answer, -1 if the client gave up.
    @ivar is_right: it is the answer to that request.
    """

    method: bytes
    status: int
    is_right: bool


#: The outcome of a POST on a slot that was lost.
LOST = Outcome(b"POST", 502, False)


@frozen
class Result:
    """
    The result of one fault.

    @ivar outcomes: the result of each request, by its name.
    @ivar seen: how often the app received each request.
    @ivar on_slot: the requests that the slot with the fault has carried.
    @ivar has_struck: the fault has happened.
    """

    outcomes: dict[bytes, Outcome]
    seen: Counter[bytes]
    on_slot: set[bytes]
    has_struck: bool

    def harmed(self) -> dict[bytes, Outcome]:
        """
        @return: the requests that did not get their right answer.
        """
        return {name: each for name, each in self.outcomes.items() if not each.is_right}

    def twice(self) -> set[bytes]:
        """
        @return: the POSTs that the app received more than once.
        """
        posts = {name for name, each in self.outcomes.items() if each.method == b"POST"}
        return {name for name in posts if self.seen[name] > 1}


class Load:
    """
    The clients of an edge.

    @ivar outcomes: see L{Result}.
    """

    def __init__(self, reactor: Any, edge: Any) -> None:
        self.outcomes: dict[bytes, Outcome] = {}
        self._reactor = reactor
        self._edge = edge

    async def run(self) -> None:
        """
        Have all clients send their requests, at the same time.
        """
        clients = [Deferred.fromCoroutine(self._client(number)) for number in range(SLOTS)]
        await gatherResults(clients)
        # After any fault the edge still serves.
        peer = await connect(self._reactor, self._edge)
        await self._ask(peer, b"GET", b"last")
        await _cut(peer)

    async def _client(self, number: int) -> None:
        """
        Send the requests of one client, on a connection that it keeps if it
        can.
        """
        peer = await connect(self._reactor, self._edge)
        for turn, method in enumerate(METHODS):
            if peer.ended:
                await _cut(peer)
                peer = await connect(self._reactor, self._edge)
            # The name is repeated, so that no flipped bit makes it the name of another request.
            await self._ask(peer, method, b"c%d-t%d" % (number, turn) * 2)
        await _cut(peer)

    async def _ask(self, peer: Peer, method: bytes, name: bytes) -> None:
        """
        Make one request, and record its result.
        """
        body = b"" if method == b"GET" else name * 3
        head = b"%b /%b HTTP/1.1\r\nHost: a\r\nX-Request-ID: %b\r\nContent-Length: %d\r\n\r\n"
        peer.write(head % (method, name, name, len(body)) + body)
        answering = Deferred.fromCoroutine(peer.answer())
        answering.addTimeout(PATIENCE, self._reactor)
        status, is_right = 0, False
        try:
            message = await answering
            status, is_right = message.status, message.body == name + body
        except TimeoutError:
            status = -1
        except (Broken, ValueError, IndexError):
            # The answer is garbled, as is everything after it.
            pass
        if status <= 0:
            await _cut(peer)
        self.outcomes[name] = Outcome(method, status, is_right)


async def _cut(peer: Peer) -> None:
    if peer.lost is None:
        peer.abort()
        await peer.untilLost()


class Echo(App):
    """
    An app that answers with the name and the body of a request, if it can be
    read.

    @ivar seen: see L{Result}.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__(self._echo)
        self.seen: Counter[bytes] = Counter()
        self._reactor = reactor

    async def _echo(self, peer: Peer) -> None:
        while True:
            try:
                request = await peer.request()
            except (ValueError, IndexError):
                return
            name = b"".join(request.values(b"x-request-id")[:1])
            self.seen[name] += 1
            # Long enough for all slots to be busy.
            await deferLater(self._reactor, 0.01)
            peer.write(answer(name + request.body))


@onBothTransports
class LinkTests(EdgeTests):
    """
    Tests of an instance with three slots, one of which has a fault.
    """

    timeout = 3600

    def setUp(self) -> None:
        super().setUp()
        self.dropped: Counter[str] = Counter()
        self.errors: list[str] = []
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)

    @provider(ILogObserver)
    def note(self, event: LogEvent) -> None:
        """
        Take from the log only what is checked later: events refer to too many
        other objects to be kept.
        """
        if event["log_level"] >= LogLevel.error:
            self.errors.append(formatEvent(event) or "")
        # Not a node that dials again while its edge is being stopped.
        elif event.get("reason") != "the edge is leaving" and "closed a slot" in (
            event.get("log_format") or ""
        ):
            self.dropped[event["log_format"]] += 1

    async def trial(self, fault: Fault | None) -> Result:
        """
        Run clients, with one fault.
        """
        app = Echo(self.reactor)
        address = app.listen(self.reactor)
        spawner = BadLinkSpawner(self.edge_reactor, lambda order: address)
        spawner.link = link = BadLink(fault)
        settings = EdgeSettings(
            ports=[LOOPBACK],
            node_ports=[LOOPBACK],
            spawns=[spawnRule(spawner, capacity=SLOTS, max_instances=2)],
            response_timeout=RESPONSE_TIMEOUT,
            drain_timeout=0.0,
        )
        edge = EdgeService(self.edge_reactor, settings)
        edge.startService()
        load = Load(self.reactor, edge.addresses[0])
        try:
            await load.run()
        finally:
            await edge.stopService()
            await link.stop()
            await app.stop()
        carried = link.passed[FROM_EDGE]
        on_slot = {name for name in load.outcomes if b"X-Request-ID: %b\r\n" % name in carried}
        self.spans = [len(passed) for passed in link.passed]
        return Result(load.outcomes, app.seen, on_slot, link.has_struck)

    async def trials(self, faults: list[Fault]) -> list[tuple[Fault, Result]]:
        """
        Run many trials, some at the same time: those that wait for a limit
        don't delay the others.
        """
        turns = DeferredSemaphore(10)

        def begin(fault: Fault) -> Deferred[Result]:
            return Deferred.fromCoroutine(self.trial(fault))

        results = await gatherResults([turns.run(begin, fault) for fault in faults])
        self.assertGreater(sum(each.has_struck for each in results), len(faults) // 2)
        self.assertEqual(self.errors, [])
        return list(zip(faults, results, strict=True))

    async def places(self, number: int) -> list[tuple[int, int]]:
        """
        @return: directions and bytes in them: this many of each, or all if
            there are fewer.
        """
        result = await self.trial(None)
        self.assertEqual(result.harmed(), {})
        chance = Random(5)
        places = []
        for direction, span in zip((FROM_NODE, FROM_EDGE), self.spans, strict=True):
            chosen = chance.sample(range(span), min(span, number))
            places += [(direction, offset) for offset in sorted(chosen)]
        return places

    async def test_cut(self) -> None:
        """
        The connection is cut at a byte: at most one exchange is lost, and only
        one that must not be sent twice.
        """
        faults = [Fault(*place) for place in await self.places(tier(12, 10_000))]
        for fault, result in await self.trials(faults):
            harmed = list(result.harmed().values())
            self.assertIn(harmed, ([], [LOST]), (fault, result))
            self.assertEqual(result.twice(), set(), (fault, result))
        self.assertEqual(self.dropped, {})

    async def test_flip(self) -> None:
        """
        A bit is flipped: whatever it means for the exchange on its slot, other
        exchanges are not affected. A slot is dropped for one reason.
        """
        chance = Random(7)
        places = await self.places(tier(12, 10_000))
        faults = [Fault(*place, chance.randrange(8)) for place in places]
        for fault, result in await self.trials(faults):
            harmed = result.harmed()
            others = [harmed[name] for name in harmed.keys() - result.on_slot]
            # One may have been given to the slot when it was lost, and was never sent.
            self.assertIn(others, ([], [LOST]), (fault, result))
            self.assertLessEqual(result.twice(), result.on_slot, (fault, result))
        for count in self.dropped.values():
            self.assertLessEqual(count, len(faults))
