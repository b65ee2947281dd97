"""
What a command line of C{brxy} consists of, as data: its commands and their arguments.

The parser, C{--help}, the completion of shells and the manual pages are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Argument", "Command"]


class Argument(NamedTuple):
    """
    An argument of a command.

    @ivar name: of an option, with its dashes; of a positional argument, in upper case.
    @ivar help: what it is, in one sentence.
    @ivar short: the letter of its short form.
    @ivar takes: stands for the value in C{--help}; C{""}: a flag.
    @ivar choices: the only values there are.
    @ivar default: the value that holds if none is given.
    @ivar optional: a positional argument may be left out.
    @ivar completes: what a shell offers as its value: C{file}, C{folder} or C{route}.
    """

    name: str
    help: str
    short: str = ""
    takes: str = ""
    choices: Sequence[str] = ()
    default: str | None = None
    optional: bool = False
    completes: str = ""

    @property
    def is_option(self) -> bool:
        """
        Whether it is an option, and no positional argument.
        """
        return self.name.startswith("-")

    @property
    def field(self) -> str:
        """
        The name of its value among those of a parsed command line.
        """
        return self.name.lstrip("-").lower().replace("-", "_")


class Command(NamedTuple):
    """
    A command of C{brxy}.

    @ivar group: the heading it stands under.
    @ivar help: what it does, in one sentence.
    @ivar run: C{module:function}; the function gets the parsed command line, or the
        arguments as they are if C{options_of} or C{synopsis} is set, and returns the exit
        status.
    @ivar arguments: what it takes.
    @ivar detail: what else there is to know, in sentences.
    @ivar synopsis: its arguments as text, if another parser reads them.
    @ivar options_of: the program whose options it takes: C{edge} or C{node}.
    """

    name: str
    group: str
    help: str
    run: str
    arguments: Sequence[Argument] = ()
    detail: str = ""
    synopsis: str = ""
    options_of: str = ""

    @property
    def is_passed_on(self) -> bool:
        """
        Whether another parser reads its arguments.
        """
        return bool(self.synopsis)
