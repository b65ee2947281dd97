"""
Signals as people write them.
"""

from __future__ import annotations

import signal

__all__ = ["signalName", "signalNumber", "signalText"]


def signalName(number: int) -> str:
    """
    @return: the name of a signal.
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def signalNumber(text: str) -> int:
    """
    Convert a signal as C{kill} takes it: C{INT}, C{SIGINT} or C{2}.

    @raise ValueError: there is no such signal.
    """
    if text.isdecimal() and int(text) in signal.valid_signals():
        return int(text)
    name = text.upper().removeprefix("SIG")
    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:
        raise ValueError("the name of a signal is needed, such as INT or QUIT") from None


def signalText(text: str) -> str:
    """
    Convert a signal as C{kill} takes it, to the shortest name of it.

    @raise ValueError: there is no such signal.
    """
    signalNumber(text)
    return text.upper().removeprefix("SIG")
