"""
Tests that every spawner has to pass, for whoever writes one::

    from twisted.trial.unittest import TestCase

    from brxy.spawners.testing import SpawnerTests


    class MineTests(SpawnerTests, TestCase):
        factory = factory

        def spec(self) -> str:
            return f"mine: where=here -- {self.appCommand()}"

        def brokenSpec(self) -> str:
            return "mine: where=here -- no-such-program"

The spawner must be installed, so that an edge finds it by its name.  Where its
instances are no processes on this machine, the suite needs to be told by
L{SpawnerTests.left}, L{SpawnerTests.kill} and L{SpawnerTests.remove} what is left
of them, and how they are killed and removed.
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

# Valid as a route, and hardly ever seen.
_ODD_ROUTE = "a_b.x-1.example"

# What is sent as Host by those who try what comes of it.
_HOSTILE = ("$(touch /x)", "`x`", "a;b", "../..", "-rf", "*", "a b", "a" * 300, "b\u00fccher")


class SpawnerTests(SpawnerBed):
    """
    What every spawner has to do: see L{brxy.interfaces}.

    A mixin; what it has to be told stands in L{SpawnerBed}.
    """

    # What it says of itself

    async def test_interfaces(self) -> None:
        """
        Factory, spawner and instances are what they have to be; the factory is
        found by its name, and says in a line what it does, and what each of its
        keys means.
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
        An instance that is stopped, twice, is gone, and nothing is left of it;
        the other runs on.  To stop it then does nothing.
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
        So is one that is still starting, and it is not ready after that.
        """
        spawner = await self.make(self.spec())
        instance = spawner.spawn(self.order())
        instance.stop()
        await self.gone(instance)
        self.assertFalse(instance.ready.called)
        await self.nothingLeft()

    async def test_stopAll(self) -> None:
        """
        A spawner that is stopped is done when all its instances are gone, also
        one that is starting; and to stop it again does nothing.
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
        A spawner that never started anything is stopped at once.
        """
        spawner = await self.make(self.spec())
        stopped = spawner.stop()
        await self.until(lambda: stopped.called, "it does not stop")

    async def test_cannotStart(self) -> None:
        """
        What can't be started is told in a line, at once or by C{gone}, and was
        never ready.
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
        That an instance was killed from outside is noticed, and nothing is
        left of it.
        """
        spawner = await self.make(self.spec())
        order = self.order()
        instance = await self.started(spawner, order)
        await self.kill(order)
        await self.gone(instance)
        await self.nothingLeft()

    async def test_noShell(self) -> None:
        """
        A route never meets a shell: not even one that no client could send.
        """
        met = self.folder / "met"
        spawner = await self.make(self.spec())
        order = self.order(f"$(touch {met})';touch {met};'`touch {met}`")
        # That it can't be started with such a route is as good as that it can.
        with suppress(SpawnFailed):
            instance = spawner.spawn(order)
            ready = self.ready(spawner, order, instance)
            await self.until(lambda: ready.called or instance.gone.called, "nothing happens")
        await spawner.stop()
        self.assertFalse(met.exists())

    # With an edge

    async def test_zeroToZero(self) -> None:
        """
        A request is answered by an instance that was not there before, and
        that leaves when it is idle; the next one by another.
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
        Four at once are served by four instances.
        """
        edge = await self.startEdge("--max-instances", "4", "--old-idle-timeout", "300")
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
        A valid but odd route arrives as it is.
        """
        edge = await self.startEdge()
        self.assertEqual((await self.ask(edge, _ODD_ROUTE))["route"], _ODD_ROUTE)
        await self.stopEdge(edge)

    async def test_hostile(self) -> None:
        """
        A host that is no name, or would like to be a command, starts nothing.
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

    # What outlives an edge; a spawner that does not provide IRecovering passes

    async def test_recover(self) -> None:
        """
        What was ordered and runs is found, and can be stopped; what bears the
        edge's id besides is removed; what bears another is not touched.
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
        An edge that was killed and is started again serves with what it had,
        removes what it does not know, and leaves nothing of its own when it is
        stopped.
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
