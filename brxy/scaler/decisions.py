"""
What the scaler decides; L{brxy.edge.fleet.scaling} performs it.
"""

from __future__ import annotations

from attrs import frozen

from brxy.scaler.instance import Instance

__all__ = [
    "Buried",
    "Decision",
    "Fail",
    "Learned",
    "Newest",
    "Retire",
    "RollFailed",
    "Settled",
    "Spawn",
    "Stop",
]


@frozen
class Spawn:
    """
    Order this instance from its spawner.
    """

    instance: Instance


@frozen
class Retire:
    """
    Have this instance finish its exchanges and end.
    """

    instance: Instance


@frozen
class Stop:
    """
    Have the spawner end this instance.

    @ivar reason: one line for the log.
    @ivar late: it was not ready in time.
    """

    instance: Instance
    reason: str
    late: bool = False


@frozen
class Fail:
    """
    Nothing serves this route, and nothing will for a while: answer all its waiters.

    @ivar reason: one line for the log, why the last order failed.
    @ivar retry_after: seconds until the next order is allowed.
    """

    route: str
    reason: str
    retry_after: float


@frozen
class Newest:
    """
    Send to this instance whether it is the newest of its route.
    """

    instance: Instance
    newest: bool


@frozen
class Buried:
    """
    Nothing is left of this instance.

    @ivar reason: one line for the log, how it ended.
    """

    instance: Instance
    reason: str


@frozen
class RollFailed:
    """
    The roll of this route ended before all its instances were replaced.

    @ivar reason: one line for the log.
    """

    route: str
    reason: str


@frozen
class Settled:
    """
    An instance that learns has for the first time been full at one capacity for a while.

    @ivar capacity: how many exchanges it takes at once.
    """

    instance: Instance
    capacity: int


@frozen
class Learned:
    """
    There is news of capacities to be remembered over a restart of the edge.
    """


Decision = Spawn | Retire | Stop | Fail | Newest | Buried | RollFailed | Settled | Learned
