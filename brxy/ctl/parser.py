"""
The parser of C{brxy}'s command line, made from the table of its commands.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, HelpFormatter
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from brxy.ctl.commands import COMMANDS
from brxy.ctl.exitstatus import USAGE, Failure
from brxy.ctl.table import Argument, Command

__all__ = ["overview", "parser", "passedOnHelp"]

# Where the descriptions of commands begin.
_COLUMN = 14

# Columns of C{--help}: in fewer nothing fits, and more are hard to read.
_NARROWEST, _WIDEST = 60, 100


def _columns() -> int:
    # As shutil.get_terminal_size, but that takes long to load.
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(1).columns
    except OSError:
        return 80


class _Formatter(HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """
        Report what is wrong in one line.
        """
        raise Failure(f"{message}; see {self.prog} --help", USAGE)


def parser(command: Command) -> ArgumentParser:
    """
    The parser of the arguments of one command.
    """
    made = _Parser(
        f"brxy {command.name}",
        description=command.help,
        epilog=" ".join(command.detail.split()) or None,
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    for each in command.arguments:
        names = [f"-{each.short}", each.name] if each.short else [each.name]
        made.add_argument(*(names if each.is_option else [each.field]), **_keywords(each))
    return made


def passedOnHelp(command: Command, width: int = 79) -> str:
    """
    The text of C{--help} of a command whose arguments another parser reads.
    """
    from textwrap import wrap

    detail = wrap(" ".join(command.detail.split()), width)
    return "\n".join([f"usage: brxy {command.name} {command.synopsis}", "", *detail])


def _keywords(argument: Argument) -> dict[str, Any]:
    # In argparse, % begins the name of something to insert.
    made: dict[str, Any] = {"help": argument.help.replace("%", "%%"), "default": argument.default}
    if argument.is_option and not argument.takes:
        return {**made, "action": "store_true", "default": False}
    made["choices"] = argument.choices or None
    made["metavar"] = argument.takes or argument.name
    if not argument.is_option and argument.optional:
        made["nargs"] = "?"
    return made


def overview(commands: Sequence[Command] = COMMANDS, width: int | None = None) -> str:
    """
    The text of C{brxy --help}: all commands, under the headings of their groups.
    """
    columns = width or _columns()
    lines = ["usage: brxy COMMAND ...", ""]
    for group in dict.fromkeys(each.group for each in commands):
        lines += [f"{group}:"]
        for each in commands:
            if each.group == group:
                lines += _described(each, min(max(columns, _NARROWEST), _WIDEST))
        lines += [""]
    return "\n".join([*lines, "brxy COMMAND --help says more of one of them."])


def _described(command: Command, width: int) -> Iterable[str]:
    from textwrap import wrap

    first, *rest = wrap(command.help, width - _COLUMN)
    yield f"  {command.name}".ljust(_COLUMN) + first
    yield from (" " * _COLUMN + line for line in rest)
