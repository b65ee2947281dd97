"""
Environment variables as users write them: C{NAME=VALUE}, and files of such lines.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path

__all__ = ["environmentFile", "variable", "variables"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

# What Go, in which Docker's client is written, takes for white space.  Python has four
# more (U+001C to U+001F), which may begin a name.
_SPACES = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)


def variables(given: str | Mapping[str, str]) -> Mapping[str, str]:
    """
    Convert C{NAME=VALUE}, or several of these with commas between.  A mapping of names to
    values is checked only.

    @raise ValueError: it is something else.
    """
    if not isinstance(given, str):
        return dict(_variable(name, value) for name, value in given.items())
    try:
        return dict(variable(each) for each in given.split(","))
    except ValueError:
        raise ValueError("NAME=VALUE,NAME=VALUE is needed") from None


def variable(text: str) -> tuple[str, str]:
    """
    Convert C{NAME=VALUE}.

    @return: the name and the value.
    @raise ValueError: it is something else.
    """
    name, equals, value = text.partition("=")
    if not equals or not _isVariable(name, value):
        raise ValueError("NAME=VALUE is needed")
    return name, value


def _variable(name: str, value: str) -> tuple[str, str]:
    if not _isVariable(name, value):
        raise ValueError(
            f"{name!r} can't be a variable: a name of letters, digits, _ and . is needed, and a "
            "value without NUL"
        )
    return name, value


def _isVariable(name: str, value: str) -> bool:
    return _VARIABLE.fullmatch(name) is not None and "\0" not in value


def environmentFile(path: str, environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """
    Read a file of lines C{NAME=VALUE} or C{NAME}, as C{docker run --env-file} does.

    A value is everything after the first C{=}, with its blanks and quotes.  A C{NAME} alone takes
    its value from the environment, and is ignored if it isn't there.  Empty lines and lines that
    begin with C{#} are ignored.

    @param environ: the environment of this process.
    @raise ValueError: the file can't be read, or a line is something else.
    """
    try:
        content = Path(path).read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    found = {}
    for number, data in enumerate(content.split(b"\n"), 1):
        name, value = _line(data.removesuffix(b"\r"), number)
        value = environ.get(name) if value is None else value
        if name and value is not None:
            found[name] = value
    return found


def _line(data: bytes, number: int) -> tuple[str, str | None]:
    """
    Read a line of such a file.

    @return: the name, C{""} if there is none, and the value, L{None} for a name alone.
    """
    try:
        text = data.decode("utf-8").lstrip(_SPACES)
    except UnicodeDecodeError:
        raise ValueError(f"line {number} is not UTF-8") from None
    if text.startswith("#"):
        return "", None
    name, equals, value = text.partition("=")
    # No process can have a variable with a NUL.
    if (text and not name) or " " in name or "\t" in name or "\0" in text:
        raise ValueError(f"line {number} is neither NAME=VALUE nor NAME")
    return name, value if equals else None
