"""
Events of traces.
"""

from __future__ import annotations

from attrs import frozen

from brxy.edge.events import Event

__all__ = ["SpansDropped", "TraceVariableIgnored", "TracesExported"]


@frozen
class TracesExported(Event):
    """
    Spans are sent to this address.
    """

    where: str


@frozen
class TraceVariableIgnored(Event):
    """
    A variable in the environment can't be used.
    """

    variable: str
    reason: str


@frozen
class SpansDropped(Event):
    """
    Spans could not be sent.
    """

    count: int
    reason: str
