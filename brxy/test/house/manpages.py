"""
Makes the manual pages, C{doc/man/*.1}, from the tables of commands and of
settings. L{brxy.test.house.optionspage} writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path

import brxy
from brxy.ctl.commands import COMMANDS
from brxy.ctl.exitstatus import MEANINGS
from brxy.ctl.table import Argument, Command
from brxy.edge.config.fields import FIELDS as EDGE
from brxy.node.fields import FIELDS as NODE
from brxy.program.fields import FLAG, Setting, Table

__all__ = ["FOLDER", "manPages"]

FOLDER = Path(brxy.__file__).parents[1] / "doc" / "man"

_BRXY = """
brxy runs the programs of brxy, a proxy that starts an app when a request for it arrives, holds the
request until the app is ready, and stops the app when it is idle. It also asks an edge that is
running, and has it do things.
"""

_EDGE = """
An edge accepts clients, and holds them while no instance of their app is free. Its spawners start
the instances, as --spawn says. A command after -- is one more --spawn, for process:.
"""

_NODE = """
A node runs beside one instance of an app: it starts the app with PORT in its environment, dials
the edge when the app is ready, and takes requests for it.
"""

# Programs whose options are on pages of their own.
_PROGRAMS = ("edge", "node")


def manPages() -> dict[Path, str]:
    """
    @return: the text of each page, by its file.
    """
    return {
        FOLDER / "brxy.1": _page(_brxy()),
        FOLDER / "brxy-edge.1": _page(_program("edge", EDGE, _EDGE, "[-- COMMAND...]")),
        FOLDER / "brxy-node.1": _page(_program("node", NODE, _NODE, "-- COMMAND...")),
    }


def _page(lines: Iterable[str]) -> str:
    return "\n".join(['.\\" Made by "python -m brxy.test.house.optionspage".', *lines, ""])


def _heading(name: str, what: str) -> Iterator[str]:
    yield f'.TH {name.upper()} 1 "" "brxy {brxy.__version__}" "brxy"'
    yield from (".SH NAME", f"{_text(name)} \\- {_text(what)}")


def _brxy() -> Iterator[str]:
    yield from _heading("brxy", "run apps only while they are used")
    yield from (".SH SYNOPSIS", ".B brxy", ".I COMMAND", "[...]")
    yield from (".SH DESCRIPTION", *_paragraph(_BRXY))
    for group in dict.fromkeys(each.group for each in COMMANDS):
        yield f".SH {_text(group.upper())}"
        for each in COMMANDS:
            if each.group == group:
                yield from _command(each)
    yield ".SH EXIT STATUS"
    for status, meaning in MEANINGS.items():
        yield from (".TP", f".B {status}", _text(f"{meaning[0].upper()}{meaning[1:]}."))
    yield from _seeAlso("brxy-edge", "brxy-node", "twistd")


def _command(command: Command) -> Iterator[str]:
    synopsis = command.synopsis or " ".join(_usage(command))
    yield f".SS brxy {_text(command.name)} {_text(synopsis)}"
    yield from _paragraph(command.help)
    if command.detail:
        yield from (".PP", *_paragraph(command.detail))
    if command.name in _PROGRAMS:
        yield from (".PP", f"Its options are in \\fBbrxy\\-{command.name}\\fR(1).")
    for each in command.arguments:
        if each.is_option:
            names = f"-{each.short}, {each.name}" if each.short else each.name
            yield from _entry(names, each.takes, each.help)


def _usage(command: Command) -> Iterator[str]:
    if any(each.is_option for each in command.arguments):
        yield "[options]"
    for each in command.arguments:
        if not each.is_option:
            yield f"[{_named(each)}]" if each.optional else _named(each)


def _named(argument: Argument) -> str:
    return "|".join(argument.choices) or argument.name


def _program(name: str, table: Table, what: str, rest: str) -> Iterator[str]:
    yield from _heading(f"brxy-{name}", f"the {name} of brxy")
    yield from (".SH SYNOPSIS", f".B brxy {name}", f"[options] {_text(rest)}", ".br")
    yield from (f".B twistd \\-n brxy\\-{name}", f"[options] {_text(rest)}")
    yield from (".SH DESCRIPTION", *_paragraph(what))
    yield ".SH OPTIONS"
    for group, settings in table.groups().items():
        yield f".SS {_text(group)}"
        for each in settings:
            names = f"-{each.short}, --{each.name}" if each.short else f"--{each.name}"
            value = "" if each.kind is FLAG else each.kind.placeholder
            yield from _entry(names, value, " ".join(_sentences(each)))
    yield from _seeAlso("brxy", "twistd")


def _sentences(setting: Setting) -> Iterator[str]:
    yield setting.help
    if setting.repeatable:
        yield "May be repeated."
    if setting.kind.zero:
        yield f"0: {setting.kind.zero}."
    if setting.environment:
        yield f"The variable {setting.environment} has the same meaning."
    if default := " ".join(filter(None, [setting.default, setting.default_note])):
        yield f"Default: {default}."


def _seeAlso(*pages: str) -> Iterator[str]:
    yield ".SH SEE ALSO"
    yield ", ".join(f"\\fB{_text(each)}\\fR(1)" for each in pages)


def _entry(names: str, value: str, text: str) -> Iterator[str]:
    shown = f"\\fB{_text(names)}\\fR"
    yield ".TP"
    yield f"{shown} \\fI{_text(value)}\\fR" if value else shown
    yield from _paragraph(text)


def _paragraph(text: str) -> Iterator[str]:
    # A line for each sentence, as is usual.
    for each in re.split(r"(?<=\.) (?=[A-Z])", " ".join(cleandoc(text).split())):
        yield _text(each)


def _text(text: str) -> str:
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
