"""
Runs the command C{brxy}.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from brxy.ctl.commands import COMMANDS, command
from brxy.ctl.exitstatus import DONE, USAGE, Failure
from brxy.ctl.table import Command

__all__ = ["main", "perform"]

_HELP = ("-h", "--help", "help")


def main() -> NoReturn:
    """
    Run the command of this process's arguments.

    @raise SystemExit: always.
    """
    # An exit by a signal shows a shell that Ctrl-C was typed, and that a reader such as head
    # needed no more.
    try:
        status = perform(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        _endBy(signal.SIGINT)
    except BrokenPipeError:
        _endBy(signal.SIGPIPE)
    raise SystemExit(status)


def _endBy(number: signal.Signals) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)


def perform(arguments: Sequence[str]) -> int:
    """
    Run a command.  What is wrong is reported in one line on standard error.

    @return: the exit status, see L{brxy.ctl.exitstatus}.
    """
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name in _HELP:
        from brxy.ctl.parser import overview

        print(overview())
        return DONE
    if name == "--version":
        name = "version"
    found = command(name)
    try:
        if found is None:
            raise Failure(_unknown(name), USAGE)
        return _perform(found, rest)
    except Failure as failure:
        print(f"brxy: {failure}", file=sys.stderr)
        return failure.status


def _perform(found: Command, arguments: Sequence[str]) -> int:
    module, _, function = found.run.partition(":")
    if found.is_passed_on:
        given: object = arguments
    else:
        # A node must start its app before it has loaded much.
        from brxy.ctl.parser import parser

        given = parser(found).parse_args(arguments)
    status: int = getattr(import_module(module), function)(given)
    return status


def _unknown(name: str) -> str:
    if not name:
        return "a command is needed; see brxy --help"
    # Takes long to load, and is needed in this case only.
    from difflib import get_close_matches

    near = get_close_matches(name, [each.name for each in COMMANDS], 1)
    return f"{name} is no command{f'; {near[0]}?' if near else ''}; see brxy --help"
