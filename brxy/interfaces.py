"""
The public interfaces of brxy and the values that cross them.

Third parties implement L{ISpawnerFactory}, L{ISpawner} and L{IInstance} to
start instances where brxy itself can't.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

__all__ = [
    "Address",
    "Gone",
    "IInstance",
    "ILeaving",
    "ILimited",
    "ILocal",
    "ILocalProcess",
    "IRecovering",
    "ISpawner",
    "ISpawnerFactory",
    "SPAWNER_VERSION",
    "SpawnOrder",
]

#: The version of what a spawner is to implement and may rely on: here
#: L{ISpawnerFactory}, L{ISpawner}, L{IInstance}, L{ILeaving}, L{ILimited}, L{ILocal},
#: L{ILocalProcess}, L{IRecovering} and the values that cross them, L{brxy.errors.SpawnFailed} and
#: L{brxy.errors.BadSpawnSpec}, L{brxy.readiness.waitUntilReady}, the converters of
#: L{brxy.spawners.spec}, and all that L{brxy.spawners.testing} offers.
#:
#: It rises by one with each release that adds to them.  What a lower version
#: had stays as it was: nothing is taken away or renamed, no attribute or method
#: becomes required, no argument is added to a method that a spawner implements,
#: and what is added to a value has a default.  So a spawner runs on every brxy
#: whose version is the one it was written for, or higher.  Should that ever have
#: to end for old versions, C{CHANGES.rst} says so one release before, and they
#: are refused with one line as those that are too new are.
SPAWNER_VERSION = 2


@frozen
class Address:
    """
    Where an app accepts connections, as the edge reaches it.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen
class SpawnOrder:
    """
    One instance that the edge wants.

    @ivar ticket: the identity of this order, unique for the edge.
    @ivar route: the validated route it shall serve; safe in an environment,
        as one element of an argument list, and as a label of a host name.
    @ivar capacity: how many exchanges the instance takes at once; 0: that is learned.
    @ivar environment: what the spawned thing must find in its environment
        for a node to find back: C{ROUTE}, C{BRXY_EDGE}, C{BRXY_TICKET},
        C{BRXY_CAPACITY}, C{BRXY_GENERATION} and C{BRXY_TOKEN}, and
        C{BRXY_MAX_CAPACITY} if the capacity is learned.
    @ivar edge: the id of the edge and the name of the spawn: letters, digits, C{-} and
        C{_}, at most 96.  With C{--state-dir} it is the same after a restart.
        Spawners label with it what they start where that can outlive the edge.
    @ivar max_capacity: how many exchanges an instance whose capacity is learned may
        take at once.
    """

    ticket: str
    route: str
    capacity: int
    environment: Mapping[str, str] = field(factory=dict)
    edge: str = ""
    max_capacity: int = 100


@frozen
class Gone:
    """
    How an instance ended.

    @ivar reason: one line for the log, such as C{exit status 1: no such module}.
    @ivar detached: what was run ended well, and may have left the instance
        running where the spawner can't see it (C{docker run -d}, a node that
        daemonised): the edge goes on waiting for it to dial in.
    """

    reason: str
    detached: bool = False


class IInstance(Interface):
    """
    One running copy of an app, or one on its way, as its spawner knows it.
    """

    ready: Deferred[Address] = Attribute(
        """
        Fires with the L{Address} of the app once it accepts connections, for
        an instance that the edge fronts itself.  It never fires for one in
        which a node runs: that one dials the edge.  The edge is its only
        listener.  It is not fired after C{gone}.
        """
    )

    gone: Deferred[Gone] = Attribute(
        """
        Fires once, with a L{Gone}, when nothing of the instance is left,
        whether it ended by itself or was stopped; never with a failure.  The
        edge is its only listener.
        """
    )

    def stop() -> None:
        """
        Ask the instance to end, and see to it that it does: politely first
        (SIGTERM, a container's stop), by force after the spawner's own
        timeout.  Returns at once; C{gone} fires when it is over.  Calling it
        again, or after C{gone}, does nothing.
        """


class ILeaving(Interface):
    """
    What an L{IInstance} may provide as well that the edge fronts, and that others
    can have ended, so that it ends soon.
    """

    leaving: Deferred[None] = Attribute(
        """
        Fires when the instance is to get nothing new.  The edge lets what runs end,
        and calls C{stop()} then.  It is not fired before C{ready}, and need not be.
        The edge is its only listener.
        """
    )


class ILocalProcess(Interface):
    """
    What an L{IInstance} may provide as well whose app runs on the edge's machine.  If the edge
    fronts it, the edge looks into the network namespace of the app, as that of a container, to
    see how much the app takes up.  The admin API shows what this process and its descendants
    use of the machine.
    """

    pid: int | None = Attribute(
        """
        The first process of the app, by its number on the edge's machine.  It is read when
        C{ready} fires, and for the admin API.  L{None} if it is not known, or on another
        machine; then the edge can't see by itself how much the app takes up.
        """
    )


class ISpawner(Interface):
    """
    Starts instances in one way, with the options of one C{--spawn}.
    """

    dials_back: bool = Attribute(
        """
        A node runs in what is started and dials the edge, which must then
        open a node port; L{False} if every instance gives an address.
        """
    )

    def spawn(order: SpawnOrder) -> IInstance:
        """
        Start one instance.  Must not block: what takes long goes on behind
        the returned L{IInstance}, and C{stop()} of that is how an order is
        cancelled.

        @raise brxy.errors.SpawnFailed: it is plain at once that nothing can
            be started; the message goes to the log.
        """

    def stop() -> Deferred[None]:
        """
        Stop every instance that this spawner started.

        @return: fires when all of them are gone.
        """


class ILocal(Interface):
    """
    Marks an L{ISpawner} whose nodes run on this machine as the edge's user, and outside of
    containers.  Unless the edge has a C{--node-port}, its C{BRXY_EDGE} is a Unix socket that
    only such processes can connect to.
    """


class ILimited(Interface):
    """
    What a spawner may provide besides L{ISpawner}: a limit on the number of its instances.
    """

    limit: int | None = Attribute(
        """
        The highest number of instances of one route, whatever C{max=} says; L{None} if
        there is no limit.
        """
    )


class IRecovering(Interface):
    """
    What a spawner may provide besides L{ISpawner}, if what it starts can
    outlive the edge.
    """

    def recover(edge: str, orders: Sequence[SpawnOrder]) -> Deferred[dict[str, IInstance]]:
        """
        Find what an earlier run of the edge with this id has left running by
        this spawner.

        The edge calls this once, when it starts with a C{--state-dir}, before
        any L{ISpawner.spawn}; orders that come meanwhile wait.  It waits 30 s:
        then the Deferred is cancelled, and the edge goes on without, as it does
        after a failure.  An instance that is returned is like one that
        C{spawn} returned: C{ready} fires if the edge is to front it, C{gone}
        when it is over, and L{ISpawner.stop} ends it as well.

        @param edge: what the orders had as their C{edge}.
        @param orders: what the edge remembers to have ordered of this spawner,
            and not to be gone.
        @return: by ticket, an L{IInstance} for each of the orders that still
            runs; everything else that bears the edge's id is stopped and
            removed before the Deferred fires; nothing else is touched.
        """


class ISpawnerFactory(Interface):
    """
    A kind of spawner, found by its name in C{--spawn "NAME: key=value -- command"}.

    Offer one by an entry point in the group C{brxy.spawners}, or as a plugin
    in C{twisted.plugins}.

    It may have one attribute more, C{written_for}: the L{SPAWNER_VERSION} it
    was written for, 1 if it does not say.  A brxy that is older refuses it with
    one line.
    """

    name: str = Attribute("What stands before the colon: letters, digits and C{-}.")

    summary: str = Attribute("One line that says where this spawner runs instances.")

    options: type[Any] = Attribute(
        """
        An L{attrs} class whose fields are this spawner's own keys, C{_} for
        C{-}.  Each field has a converter from text that raises C{ValueError}
        for bad values, a default unless the key must be given, and
        C{metadata={"help": "one line"}}.
        """
    )

    def create(options: Any, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        Make a spawner.  Nothing is started yet.

        @param options: an instance of C{self.options}.
        @param command: what followed C{--}, one string an argument.
        @raise brxy.errors.BadSpawnSpec: these options and this command don't
            go together (no command where one is needed).
        """
