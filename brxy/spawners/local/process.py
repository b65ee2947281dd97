"""
The spawner C{process:}, which runs a command on this machine that runs a node.
"""

from __future__ import annotations

from attrs import field, frozen
from zope.interface import implementer

from brxy.interfaces import Gone, IInstance, ILocal, ILocalProcess, ISpawner, SpawnOrder
from brxy.processes.child import Child, Ended
from brxy.spawners.command import CommandFactory
from brxy.spawners.instance import BaseInstance
from brxy.spawners.local.base import LocalSpawner, ownBinFirst
from brxy.spawners.output import OutputLogger
from brxy.spawners.spec import seconds

__all__ = ["ProcessOptions", "ProcessSpawner", "factory"]


@frozen
class ProcessOptions:
    """
    The keys of C{process:}.
    """

    # A node finishes its exchanges within its --drain-timeout, 25 s, and must not be
    # killed earlier.
    stop_timeout: float = field(
        default=30.0,
        converter=seconds,
        metadata={"help": "seconds between SIGTERM and SIGKILL"},
    )


@implementer(ILocalProcess)
class ProcessInstance(BaseInstance):
    """
    One run of the command.
    """

    def __init__(self, child: Child, stop_timeout: float) -> None:
        super().__init__()
        self._child = child
        self._stop_timeout = stop_timeout
        child.ended.addCallback(self._ended)
        child.emptied.addCallback(self.over.callback)

    @property
    def pid(self) -> int | None:
        """
        See L{ILocalProcess}.
        """
        return self._child.pid or None

    def stop(self) -> None:
        """
        See L{BaseInstance}.  What the command left running in its process group
        is stopped too.
        """
        self._child.stop(self._stop_timeout)

    def _ended(self, result: Ended) -> None:
        self.report(Gone(result.describe(), self._child.left))


@implementer(ISpawner, ILocal)
class ProcessSpawner(LocalSpawner):
    """
    Runs the same command for each instance.

    A node that runs does not depend on the edge: it survives an edge that was killed, and
    dials the next one.
    """

    dials_back = True

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self._running.check()
        output = OutputLogger(self._log, order.ticket)
        child = Child(
            self._reactor,
            [argument.replace("{route}", order.route) for argument in self._command],
            {**ownBinFirst(self._environ), **order.environment},
            output,
            die_with_parent=False,
            progress=output.progress,
            leave_on_success=True,
        )
        child.start()
        instance = ProcessInstance(child, self._options.stop_timeout)
        self._running.add(instance, instance.over)
        return instance


factory = CommandFactory(
    "process",
    "runs a command that runs a node on this machine, in a process group of its own",
    ProcessOptions,
    ProcessSpawner,
)
