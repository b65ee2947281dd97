"""
The factory of every spawner that runs a command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from zope.interface import implementer

from brxy.errors import BadSpawnSpec
from brxy.interfaces import ISpawner, ISpawnerFactory

__all__ = ["CommandFactory"]


@implementer(ISpawnerFactory)
@frozen
class CommandFactory:
    """
    Makes spawners that run a command.

    @ivar make: makes a spawner from its options, the command and the reactor.
    @cvar needs_command: a spawner can't be made without a command.
    """

    needs_command = True

    name: str
    summary: str
    options: type[Any]
    make: Callable[[Any, Sequence[str], Any], ISpawner]

    def create(self, options: Any, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        See L{ISpawnerFactory}.
        """
        if not command:
            raise BadSpawnSpec(
                f"{self.name}: needs a command after --; the whole string must be in quotes"
            )
        return self.make(options, command, reactor)
