"""
The text of C{--help}, made from a table of settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import indent, wrap

from brxy.program.fields import Setting, Table

__all__ = ["helpText"]

# Where descriptions begin.  A longer option has its description on the next line.
_COLUMN = 27

# How the values are written for which these words stand.
_NOTATION = {
    "TIME": "A TIME is a number of seconds, or has units: 1.5, 90s, 5m, 1h30m.",
    "SIZE": "A SIZE is a number of bytes, or has a unit: 64K, 512M, 2G.",
    "ENDPOINT": "An ENDPOINT is 8080 or *:8080 (all addresses), 127.0.0.1:8080, [::1]:8080, "
    "unix:/run/brxy/http, or any other in Twisted's notation.",
    "ADDRESS": "An ADDRESS is edge.example.net:9080, [::1]:9080, unix:/run/brxy/nodes, or a "
    "client endpoint in Twisted's notation.",
}


def helpText(table: Table, description: str, examples: Sequence[str], width: int) -> str:
    """
    All options under the headings of their groups, and examples at the end.

    @param description: what the program does.
    @param width: of a line at most, in characters.
    """
    lines = ["", *wrap(description, width), *_notation(table, width)]
    for group, settings in table.groups().items():
        lines += ["", f"{group}:"]
        for each in settings:
            lines += _option(_head(each), _description(each), width)
    if examples:
        lines += ["", "Examples:", *(indent(each, "  ") for each in examples)]
    return "\n".join(lines)


def _notation(table: Table, width: int) -> list[str]:
    used = {each.kind.placeholder for each in table.options()}
    texts = [text for placeholder, text in _NOTATION.items() if placeholder in used]
    return ["", *wrap(" ".join(texts), width)] if texts else []


def _head(setting: Setting) -> str:
    short = f"-{setting.short}, " if setting.short else "    "
    return f"{short}--{setting.name} {setting.kind.placeholder}".rstrip()


def _description(setting: Setting) -> str:
    return " ".join(filter(None, [setting.help, *_notes(setting)]))


def _notes(setting: Setting) -> Iterable[str]:
    if setting.repeatable:
        yield "May be repeated."
    if setting.kind.zero:
        yield f"0: {setting.kind.zero}."
    value = " ".join(filter(None, [setting.default, setting.default_note]))
    if default := ", or ".join(filter(None, [setting.environment, value])):
        yield f"[default: {default}]"


def _option(head: str, text: str, width: int) -> list[str]:
    head = f"  {head}"
    rest = wrap(text, width - _COLUMN)
    # Two spaces are between an option and its description.
    first = [] if len(head) > _COLUMN - 2 else [head.ljust(_COLUMN) + rest.pop(0)]
    return [*(first or [head]), *(" " * _COLUMN + line for line in rest)]
