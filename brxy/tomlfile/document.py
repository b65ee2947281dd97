"""
A TOML document: its values, and the line of each key.

Pure: text in, values and numbers of lines out.
"""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from typing import Any

from brxy.tomlfile.lines import Lines, Path

__all__ = ["BadToml", "Document"]

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


class BadToml(ValueError):
    """
    A text is not TOML.

    @ivar line: where that was found, counted from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Document:
    """
    A TOML document.

    @ivar values: its top table, as L{tomllib} returns it.
    """

    def __init__(self, text: str) -> None:
        """
        @raise BadToml: the text is not TOML.
        """
        # tomllib does the same, by which numbers of lines stay as they are.
        self._text = text.replace("\r\n", "\n")
        try:
            self.values: dict[str, Any] = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise self._bad(str(error)) from None

    def _bad(self, message: str) -> BadToml:
        found = _PLACE.search(message)
        what = _PLACE.sub("", message)
        line = int(found[1]) if found and found[1] else len(self._text.rstrip().split("\n"))
        return BadToml(f"{what[:1].lower()}{what[1:]}", line)

    def line(self, path: Path) -> int:
        """
        Find the line of a key.  Only the first call takes long: it costs as much as
        parsing the document once more.

        @param path: keys and, for elements of arrays, their numbers.
        @return: the line where the key is written, or else the nearest table or array that
            contains it, counted from 1.
        """
        return self._lines.line(path)

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self._text)
