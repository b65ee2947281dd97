"""
What can be written after C{brxy}, for completion and manual pages: the commands with all their
options, also those that another program reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brxy.ctl.table import Argument, Command
from brxy.program.fields import FLAG, Setting, Table

__all__ = ["argumentsOf", "tableOf"]

HELP = Argument("--help", "Print the help of this command and exit.", "h")

_COMPLETED = {"FILE": "file", "FOLDER": "folder"}


def tableOf(program: str) -> Table:
    """
    The options of a program, C{edge} or C{node}.
    """
    if program == "edge":
        from brxy.edge.config.fields import FIELDS as EDGE

        return EDGE
    from brxy.node.fields import FIELDS as NODE

    return NODE


def argumentsOf(command: Command) -> Sequence[Argument]:
    """
    All arguments of a command.
    """
    if command.options_of:
        return list(_fromTable(tableOf(command.options_of)))
    if command.is_passed_on:
        return command.arguments
    return [*command.arguments, HELP]


def _fromTable(table: Table) -> Iterable[Argument]:
    for each in table.options():
        yield Argument(
            f"--{each.name}",
            each.help,
            short=each.short or "",
            takes="" if each.kind is FLAG else each.kind.placeholder,
            choices=_choices(each),
            completes=_COMPLETED.get(each.kind.placeholder, ""),
        )


def _choices(setting: Setting) -> Sequence[str]:
    """
    The values of a setting, if its placeholder lists them: C{epoll|reactor}.
    """
    values = setting.kind.placeholder.split("|")
    return values if len(values) > 1 and all(each.islower() for each in values) else ()
