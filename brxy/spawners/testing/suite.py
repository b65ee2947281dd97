"""
Tests that every spawner has to pass, for authors of spawners::

    from twisted.trial.unittest import TestCase

    from brxy.spawners.testing import SpawnerTests


    class MineTests(SpawnerTests, TestCase):
        factory = factory

        def spec(self) -> str:
            return f"mine: where=here -- {self.appCommand()}"

        def brokenSpec(self) -> str:
            return "mine: where=here -- no-such-program"

The spawner must be installed, so that an edge finds it by its name.  If its instances are
not processes on this machine, override L{SpawnerTests.left}, L{SpawnerTests.kill} and
L{SpawnerTests.remove}, which find what is left of instances, and kill and remove them.
"""

from __future__ import annotations

from contextlib import suppress

from zope.interface.verify import verifyObject

from brxy.errors import SpawnFailed
from brxy.interfaces import IInstance, IRecovering, ISpawner, ISpawnerFactory
from brxy.spawners.registry import findSpawner
from brxy.spawners.spec import optionKeys, parseSpawn
from brxy.spawners.testing.bed import SpawnerBed

__all__ = ["SpawnerTests"]

# A valid but unusual route.
_ODD_ROUTE = "a_b.x-1.example"

# Values of Host that attackers try.
_HOSTILE = ("$(touch /x)", "`x`", "a;b", "../..", "-rf", "*", "a b", "a" * 300, "b\u00fccher")


class SpawnerTests(SpawnerBed):
    """
    What every spawner has to do: see L{brxy.interfaces}.

    A mixin; L{SpawnerBed} has the methods to implement.
    """

    # Interfaces

    async def test_interfaces(self) -> None:
        """
        Factory, spawner and instances provide their interfaces.  The factory is found by
        its name, and describes itself and each of its keys in one line.
        """
        factory = self.factory
        verifyObject(ISpawnerFactory, factory)
        self.assertIs(type(findSpawner(factory.name)), type(factory))
        self.assertEqual(parseSpawn(self.spec()).name, factory.name)
        self.assertRegex(factory.summary, r"\A[^\n]+\Z")
        for key, each in optionKeys(factory.options).items():
            self.assertRegex(each.metadata.get("help", ""), r"\A[^\n]+\Z", key)
        spawner = await self.make(self.spec())
        verifyObject(ISpawner, spawner)
        instance = spawner.spawn(self.order())
        verifyObject(IInstance, instance)
        await spawner.stop()

    # Instances

    async def test_stop(self) -> None:
        """
        An instance that is stopped, twice, is gone, and nothing is left of it; another
        goes on.  Stopping it once more does nothing.
        """
        spawner = await self.make(self.spec())
        one, other = await self.started(spawner), await self.started(spawner)
        one.stop()
        one.stop()
        await self.gone(one)
        one.stop()
        self.assertFalse(other.gone.called)
        self.assertTrue(await self.left())
        other.stop()
        await self.gone(other)
        await self.nothingLeft()

    async def test_cancel(self) -> None:
        """
        The same holds for an instance that is still starting; it does not become ready
        after that.
        """
        spawner = await self.make(self.spec())
        instance = spawner.spawn(self.order())
        instance.stop()
        await self.gone(instance)
        self.assertFalse(instance.ready.called)
        await self.nothingLeft()

    async def test_stopAll(self) -> None:
        """
        A spawner has stopped when all its instances are gone, including one that is
        starting.  Stopping it again does nothing.
        """
        spawner = await self.make(self.spec())
        ready = await self.started(spawner)
        starting = spawner.spawn(self.order())
        await spawner.stop()
        for instance in (ready, starting):
            self.assertTrue(instance.gone.called, "the spawner was done before its instances")
            await self.gone(instance)
        await spawner.stop()
        await self.nothingLeft()

    async def test_stopNothing(self) -> None:
        """
        A spawner that never started an instance stops at once.
        """
        spawner = await self.make(self.spec())
        stopped = spawner.stop()
        await self.until(lambda: stopped.called, "it does not stop")

    async def test_cannotStart(self) -> None:
        """
        The reason for which an instance can't be started is reported in one line, at once
        or by C{gone}; the instance was never ready.
        """
        spawner = await self.make(self.brokenSpec())
        try:
            instance = spawner.spawn(self.order())
        except SpawnFailed as error:
            self.assertRegex(str(error), r"\A[^\n]+\Z")
            return
        await self.gone(instance)
        self.assertFalse(instance.ready.called)
        await self.nothingLeft()

    async def test_killed(self) -> None:
        """
        The end of an instance that another program kills is noticed, and nothing is left
        of it.
        """
        spawner = await self.make(self.spec())
        order = self.order()
        instance = await self.started(spawner, order)
        await self.kill(order)
        await self.gone(instance)
        await self.nothingLeft()

    async def test_noShell(self) -> None:
        """
        No shell interprets a route, not even one that no client can send.
        """
        met = self.folder / "met"
        spawner = await self.make(self.spec())
        order = self.order(f"$(touch {met})';touch {met};'`touch {met}`")
        # The spawner may refuse such a route.
        with suppress(SpawnFailed):
            instance = spawner.spawn(order)
            ready = self.ready(spawner, order, instance)
            await self.until(lambda: ready.called or instance.gone.called, "nothing happens")
        await spawner.stop()
        self.assertFalse(met.exists())

    # With an edge

    async def test_zeroToZero(self) -> None:
        """
        An instance is started for a request, and leaves when it is idle.  The next request
        is answered by another instance.
        """
        edge = await self.startEdge("--idle-timeout", "0.5")
        self.assertEqual(await self.left(), [])
        first = await self.ask(edge)
        await self.nothingLeft()
        self.assertNotEqual((await self.ask(edge))["instance"], first["instance"])
        await self.stopEdge(edge)
        await self.nothingLeft()

    async def test_four(self) -> None:
        """
        Four requests at once are served by four instances.
        """
        edge = await self.startEdge(
            *("--capacity", "1", "--max-instances", "4", "--old-idle-timeout", "300")
        )
        clients = [await self.begin(edge, "/hold") for _ in range(4)]
        answers = [await self.answered(edge, each) for each in clients]
        self.assertEqual([each.status for each in answers], [200] * 4, edge.log)
        self.assertEqual(len({each.about["instance"] for each in answers}), 4)
        for client in clients:
            client.hangUp()
        await self.stopEdge(edge)
        await self.nothingLeft()

    async def test_route(self) -> None:
        """
        An instance gets a valid but unusual route unchanged.
        """
        edge = await self.startEdge()
        self.assertEqual((await self.ask(edge, _ODD_ROUTE))["route"], _ODD_ROUTE)
        await self.stopEdge(edge)

    async def test_hostile(self) -> None:
        """
        A host that is not a name, or has the form of a command, starts nothing.
        """
        edge = await self.startEdge()
        for host in _HOSTILE:
            answer = await self.answered(edge, await self.begin(edge, host=host))
            self.assertIn(answer.status, (400, 404), host)
        self.assertNotIn(": ordered\n", edge.log)
        self.assertEqual(await self.left(), [])
        await self.stopEdge(edge)

    async def test_edgeTellsReason(self) -> None:
        """
        A client whose instance can't be started is answered at once, and the
        log has the reason.
        """
        edge = await self.startEdge(spec=self.brokenSpec())
        answer = await self.answered(edge, await self.begin(edge))
        self.assertEqual(answer.status, 503)
        self.assertRegex(edge.log, r"(can't be started|gone): \S")
        await self.stopEdge(edge)
        await self.nothingLeft()

    # Instances that outlive an edge; a spawner that does not provide IRecovering passes

    async def test_recover(self) -> None:
        """
        An instance that was ordered and runs is found, and can be stopped.  Others with
        the edge's id are removed.  Those with another id are not touched.
        """
        earlier = await self.make(self.spec())
        if not IRecovering.providedBy(earlier):
            return
        verifyObject(IRecovering, earlier)
        known, unknown, never = self.order(), self.order(), self.order()
        stands = await self.bystander()
        instance = await self.started(earlier, known)
        forgotten = await self.started(earlier, unknown)
        spawner = await self.make(self.spec())
        found = await IRecovering(spawner).recover(self.label, [known, never])
        self.assertEqual(list(found), [known.ticket])
        verifyObject(IInstance, found[known.ticket])
        await self.gone(forgotten)
        self.assertFalse(instance.gone.called)
        self.assertTrue(await stands())
        if not spawner.dials_back:
            await self.until(lambda: found[known.ticket].ready.called, "it is not ready")
        await spawner.stop()
        await self.gone(found[known.ticket])
        self.assertTrue(await stands())

    async def test_restart(self) -> None:
        """
        An edge that was killed and is started again serves with the instances it had, and
        removes those that it does not know.  When it is stopped, it leaves nothing of its
        own.
        """
        earlier = await self.make(self.spec())
        if not IRecovering.providedBy(earlier):
            return
        stands = await self.bystander()
        edge = await self.startEdge()
        before = await self.ask(edge)
        edge.kill()
        stray = await self.started(earlier, self.order())
        edge = await self.startEdge()
        self.assertEqual((await self.ask(edge))["instance"], before["instance"])
        self.assertNotIn(": ordered\n", edge.log)
        await self.gone(stray)
        self.assertTrue(await stands())
        await self.stopEdge(edge)
        self.assertTrue(await stands())
