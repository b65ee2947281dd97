"""
Text that others wrote, made safe for one line of a log or a page.

Pure: text in, text out.
"""

from __future__ import annotations

import re

__all__ = ["coloured", "oneLine", "printable"]

#: The length that L{oneLine} cuts a message to, in characters.
MOST = 300


def printable(text: str) -> str:
    r"""
    Escape every character that is not printable as Python writes it: C{\n}, C{\x1b},
    C{\u202e}.  The result is one line that moves no cursor and reorders no text.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def oneLine(text: object, most: int = MOST) -> str:
    """
    Write anything as one short printable line, with one blank in place of each run of
    white space.

    @param text: what C{str()} makes a message of; bytes are read as UTF-8.
    @param most: the result has at most this number of characters.
    """
    if isinstance(text, bytes | bytearray):
        text = text.decode("utf-8", "backslashreplace")
    return printable(" ".join(str(text).split())[:most])[:most]


# Select Graphic Rendition, ECMA-48: colours and the like.
_RENDITION = re.compile(r"(\x1b\[[0-9;:]*m)")


def coloured(text: str) -> str:
    """
    Like L{printable}, for a terminal: tabs and the sequences that set colours stay, and the
    colours end with the text.
    """
    parts = _RENDITION.split(text)
    safe = "".join(
        part if number % 2 else "\t".join(map(printable, part.split("\t")))
        for number, part in enumerate(parts)
    )
    return f"{safe}\x1b[0m" if len(parts) > 1 else safe
