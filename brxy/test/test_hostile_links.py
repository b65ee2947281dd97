"""
Slots whose bytes get lost or altered on the way, while others are at work.

That a bit of what an exchange carries was flipped can't be seen: frames have no
checksum, TCP's and TLS's are trusted.  So nothing is said here of the content of
exchanges on the slot that is hit; all others are right to the byte.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from attrs import define, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent

from brxy.edge.service import EdgeService
from brxy.edge.slot import NodeSlot
from brxy.node.slot import EdgeSlot
from brxy.test.edges import EdgeTests, onBothTransports, spawnRule
from brxy.test.links import FROM_EDGE, FROM_NODE, BadLink, BadLinkSpawner, Fault
from brxy.test.peers import App, Broken, Message, Peer, answer, connect
from brxy.test.tiers import tier

#: Slots of the instance, and clients at the same time.
SLOTS = 3

#: What each client asks for, one after the other.
METHODS = (b"GET", b"POST", b"GET", b"PUT")

#: Seconds for a response, and how long a client waits: longer than all limits of the
#: edge's together.
RESPONSE_TIMEOUT = 5.0
PATIENCE = 15.0


@frozen
class Outcome:
    """
    What became of one request.

    @ivar status: 0 if there was no answer, -1 if the client gave up.
    @ivar is_right: it is the answer to that request.
    """

    method: bytes
    status: int
    is_right: bool


@define
class Trial:
    """
    One edge with its clients, one instance, and one fault.

    @ivar outcomes: what became of each request, by its name.
    @ivar seen: how often each request came to the app.
    """

    tests: LinkTests
    link: BadLink
    edge: EdgeService
    outcomes: dict[bytes, Outcome]
    seen: Counter[bytes]

    async def load(self) -> None:
        """
        Have all clients ask, at the same time.
        """
        clients = [Deferred.fromCoroutine(self.client(number)) for number in range(SLOTS)]
        await gatherResults(clients)
        # Whatever happened, the edge serves on.
        await self.ask(await self.connect(), b"GET", b"last")

    async def client(self, number: int) -> None:
        """
        One client asks, on a connection that it keeps if it can.
        """
        peer = await self.connect()
        for turn, method in enumerate(METHODS):
            if peer.ended:
                peer = await self.connect()
            await self.ask(peer, method, b"c%d-t%d" % (number, turn))
        peer.close()

    async def connect(self) -> Peer:
        """
        Connect to the edge.
        """
        peer = await connect(self.tests.reactor, self.edge.addresses[0])
        self.tests.cutLater(peer)
        return peer

    async def ask(self, peer: Peer, method: bytes, name: bytes) -> None:
        """
        Make one request, and see what becomes of it.
        """
        body = b"" if method == b"GET" else name * 3
        head = b"%b /%b HTTP/1.1\r\nHost: a\r\nX-Request-ID: %b\r\nContent-Length: %d\r\n\r\n"
        peer.write(head % (method, name, name, len(body)) + body)
        answering = Deferred.fromCoroutine(peer.answer())
        answering.addTimeout(PATIENCE, self.tests.reactor)
        status, is_right = 0, False
        try:
            message = await answering
            status, is_right = message.status, message.body == name + body
        except TimeoutError:
            status = -1
        except (Broken, ValueError, IndexError):
            # It is garbled, as is all that follows.
            pass
        if status <= 0:
            peer.abort()
            await peer.untilLost()
        self.outcomes[name] = Outcome(method, status, is_right)

    def onSlot(self) -> set[bytes]:
        """
        The requests that the slot with the fault has carried.
        """
        carried = self.link.passed[FROM_EDGE]
        return {name for name in self.outcomes if b"X-Request-ID: %b\r\n" % name in carried}


@onBothTransports
class LinkTests(EdgeTests):
    """
    One of three slots of an instance is hit.
    """

    timeout = 600

    def setUp(self) -> None:
        super().setUp()
        self.events = self.enterContext(capturedLogs())

    async def trial(self, fault: Fault | None) -> Trial:
        """
        Run clients, and have one thing go wrong.
        """
        seen: Counter[bytes] = Counter()

        async def serve(peer: Peer) -> None:
            while True:
                try:
                    request: Message = await peer.request()
                except (ValueError, IndexError):
                    return
                name = b"".join(request.values(b"x-request-id")[:1])
                seen[name] += 1
                # Long enough for all slots to be busy.
                await deferLater(self.reactor, 0.01)
                peer.write(answer(name + request.body))

        app = App(serve)
        address = self.startApp(app)
        spawner = BadLinkSpawner(self.edge_reactor, lambda order: address)
        spawner.link = BadLink(fault)
        edge = self.startEdge(
            spawnRule(spawner, capacity=SLOTS, max_instances=2),
            response_timeout=RESPONSE_TIMEOUT,
        )
        trial = Trial(self, spawner.link, edge, {}, seen)
        await trial.load()
        await edge.stopService()
        await spawner.link.stop()
        await app.stop()
        return trial

    async def spans(self) -> list[int]:
        """
        How many bytes a slot carries when nothing goes wrong, by direction.
        """
        trial = await self.trial(None)
        self.assertEqual({each.is_right for each in trial.outcomes.values()}, {True})
        return [len(passed) for passed in trial.link.passed]

    async def trials(self, faults: list[Fault]) -> list[Trial]:
        """
        Many trials, some at the same time: those that wait for a limit don't
        hold the others up.
        """
        turns = DeferredSemaphore(10)

        def begin(fault: Fault) -> Deferred[Trial]:
            return Deferred.fromCoroutine(self.trial(fault))

        return await gatherResults([turns.run(begin, fault) for fault in faults])

    def harmed(self, fault: Fault, trial: Trial) -> dict[bytes, Outcome]:
        """
        What was not answered right.  A POST never reached the app twice.
        """
        for name, outcome in trial.outcomes.items():
            if outcome.method == b"POST":
                self.assertLessEqual(trial.seen[name], 1, (fault, name))
        return {name: each for name, each in trial.outcomes.items() if not each.is_right}

    def checkLog(self, number: int) -> None:
        """
        There is one reason for each slot that was dropped, at most, and no
        traceback.
        """
        dropped = [e for e in self.events if "dropped a slot" in e.get("log_format", "")]
        for kind in (NodeSlot, EdgeSlot):
            lines = [formatEvent(e) or "" for e in dropped if isinstance(e["log_source"], kind)]
            # One that dials again while its edge is being stopped.
            lines = [line for line in lines if not line.endswith("the edge is leaving")]
            self.assertLessEqual(len(lines), number, lines)
        worst = [event for event in self.events if event["log_level"] >= LogLevel.error]
        self.assertEqual([formatEvent(event) for event in worst], [])
        del self.events[:]  # type: ignore[attr-defined]

    async def offsets(self, number: int) -> list[tuple[int, int]]:
        """
        Directions and bytes in them: so many of each, or all if that is less.
        """
        chance = Random(5)
        places = []
        for direction, span in zip((FROM_NODE, FROM_EDGE), await self.spans(), strict=True):
            chosen = chance.sample(range(span), min(span, number))
            places += [(direction, offset) for offset in sorted(chosen)]
        return places

    async def test_cut(self) -> None:
        """
        The connection is cut at a byte: one exchange is lost at most, and only
        one that must not be sent twice.
        """
        faults = [Fault(*place) for place in await self.offsets(tier(12, 10_000))]
        trials = await self.trials(faults)
        for fault, trial in zip(faults, trials, strict=True):
            harmed = list(self.harmed(fault, trial).values())
            self.assertIn(harmed, ([], [Outcome(b"POST", 502, False)]), (fault, harmed))
        self.assertGreater(sum(trial.link.has_struck for trial in trials), len(faults) // 2)
        self.checkLog(0)

    async def test_flip(self) -> None:
        """
        A bit is flipped: whatever that means to what the slot carries, nothing
        happens to others.
        """
        chance = Random(7)
        places = await self.offsets(tier(12, 10_000))
        faults = [Fault(*place, chance.randrange(8)) for place in places]
        trials = await self.trials(faults)
        for fault, trial in zip(faults, trials, strict=True):
            harmed = self.harmed(fault, trial)
            others = [harmed[name] for name in harmed.keys() - trial.onSlot()]
            # One may have been given to the slot when it was lost, and never left.
            self.assertIn(others, ([], [Outcome(b"POST", 502, False)]), (fault, harmed))
        self.assertGreater(sum(trial.link.has_struck for trial in trials), len(faults) // 2)
        self.checkLog(len(faults))
