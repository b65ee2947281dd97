"""
Command lines, made from a table of settings.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from twisted.python import usage

from brxy import __version__
from brxy.processes.launcher import LAUNCHER
from brxy.program.fields import ACTION, FLAG, Setting, Table
from brxy.program.guarded import fail
from brxy.program.helptext import helpText

__all__ = ["Options"]

# Columns of C{--help}: in fewer nothing fits, and more are hard to read.
_NARROWEST, _WIDEST = 60, 100


class Options(usage.Options):
    """
    The command line of a program: an option for each setting of its table.  What is
    wrong with it is reported in one line.

    Each value is found under the name of its setting.  It is the one that was given;
    else that of the environment variable, if it is set and not empty; else the default.
    What is repeatable is a list, and has no default here.

    @ivar program: the name of the command.
    @ivar table: its settings.
    @ivar longdesc: what the program does, for C{--help}.
    @ivar examples: command lines for the end of C{--help}.
    """

    program = "brxy"

    table = Table(())

    longdesc = ""

    examples: tuple[str, ...] = ()

    optParameters: list[list[Any]] = []

    optFlags: list[list[Any]] = []

    def __init_subclass__(cls) -> None:
        cls.optParameters, cls.optFlags = [], []
        for each in cls.table.options():
            if each.kind is FLAG:
                cls.optFlags.append([each.name, each.short, each.help])
            elif each.repeatable:
                _addHandler(cls, each)
            elif each.kind is not ACTION:
                convert = _converter(each, f"--{each.name}")
                cls.optParameters.append([each.name, each.short, None, each.help, convert])

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._environ = environ
        for each in self.table:
            if each.repeatable:
                self[each.name] = []

    def parseOptions(self, options: Any = None) -> None:
        """
        Parse a command line, or end the program with a line that says what is wrong:
        in twistd's own report of an error, which repeats all of C{--help}, that line
        would be hard to find.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            fail(self.program, error)

    def postOptions(self) -> None:
        """
        Complete what was given from the environment and by the defaults.
        """
        for each in self._ungiven():
            variable = each.environment or ""
            text = self._environ.get(variable)
            self[each.name] = _converter(each, variable)(text) if text else None
        self.completeGiven()
        for each in self._ungiven():
            self[each.name] = each.value

    def _ungiven(self) -> list[Setting]:
        settings = (each for each in self.table if each.kind is not ACTION)
        return [each for each in settings if self.get(each.name) is None]

    def completeGiven(self) -> None:
        """
        Complete the options from elsewhere, before the defaults do.
        """

    def opt_help(self) -> None:
        """
        Print all options and exit.
        """
        self.printAndExit(str(self))

    def opt_version(self) -> None:
        """
        Print brxy's version and exit.
        """
        self.printAndExit(f"brxy {__version__}")

    def printAndExit(self, text: str) -> NoReturn:
        """
        Print a text on standard output, and end the program.

        @raise SystemExit: always.
        """
        try:
            print(text, flush=True)
        except BrokenPipeError:
            # Its reader ended early, as head does.  Python would try to write the rest when
            # it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0)

    def getUsage(self, width: int | None = None) -> str:
        """
        The text of C{--help} below the line with the synopsis.
        """
        width = width or shutil.get_terminal_size().columns
        return helpText(
            self.table, self.longdesc, self.examples, min(max(width, _NARROWEST), _WIDEST)
        )

    def foreground(self) -> bool:
        """
        Whether twistd stays in the foreground.
        """
        parent = self.parent
        return parent is None or bool(parent.get("nodaemon"))

    def keepUmask(self) -> None:
        """
        Have what this program starts keep the umask that it was started with itself, even
        if twistd makes the program a daemon and sets another one: 077, by which an app's
        socket or upload could be read by no other user.
        """
        parent = self.parent
        if parent is not None and not self.foreground() and parent.get("umask") is None:
            LAUNCHER.umask = os.umask(0o077)
            os.umask(LAUNCHER.umask)

    def withoutPidfile(self) -> None:
        """
        In the foreground have twistd write no pidfile unless one was requested: an edge
        and its nodes may share a folder, and twistd refuses to start where there is a
        twistd.pid.
        """
        parent = self.parent
        if parent is not None and parent.get("nodaemon") and parent.get("pidfile") == "twistd.pid":
            parent["pidfile"] = ""


def _converter(setting: Setting, source: str) -> Callable[[str], Any]:
    """
    The converter of a setting, with errors that name where the value comes from:
    those of twistd only repeat the value.
    """

    def convert(text: str) -> Any:
        try:
            return setting.kind.convert(text)
        except ValueError as error:
            what = source if setting.is_secret else f"bad {source} {text!r}"
            raise usage.UsageError(f"{what}: {error}") from None

    return convert


def _addHandler(options: type[Options], setting: Setting) -> None:
    """
    Have each value of an option added to a list.
    """
    convert = _converter(setting, f"--{setting.name}")

    def handle(self: Options, text: str) -> None:
        self[setting.name].append(convert(text))

    handle.__doc__ = setting.help
    for name in filter(None, (setting.name, setting.short)):
        setattr(options, f"opt_{name.replace('-', '_')}", handle)
