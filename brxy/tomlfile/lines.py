"""
Finds the lines of keys in a TOML text.

L{tomllib} reports no lines, but parts of a document are TOML by themselves: a header such as
C{[route.a]} with what follows it, and a key with its value.  So a text is divided into such
parts by parsing longer and longer pieces of it, and a key is where the part that has it begins.

Pure: text in, numbers out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

__all__ = ["Lines", "Path"]

#: Keys from the top table down, and for elements of arrays their numbers.
Path = Sequence[str | int]


def _parse(lines: Sequence[str]) -> dict[str, Any] | None:
    """
    @return: the values of some lines; L{None} if they are not TOML by themselves.
    """
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def _has(values: Any, path: Path) -> bool:
    for each in path:
        if isinstance(each, int):
            if not isinstance(values, list) or len(values) <= each:
                return False
        elif not isinstance(values, dict) or each not in values:
            return False
        values = values[each]
    return True


def _pieces(lines: Sequence[str], starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """
    Divide lines into the smallest pieces that are TOML by themselves.

    @param starts: the lines with which a piece may begin.
    @return: the first line of each, and the one after its last.
    """
    ends = [*starts[1:], len(lines)]
    begin = starts[0] if starts else 0
    for end in ends:
        if _parse(lines[begin:end]) is not None:
            yield begin, end
            begin = end


class _Section:
    """
    A header and the lines that follow it.

    @ivar first: the number of its first line, counted from 0.
    """

    def __init__(self, first: int, body: Sequence[str]) -> None:
        """
        @param body: its lines without the header.
        """
        self.first = first
        self._body = body

    @cached_property
    def _keys(self) -> list[tuple[int, Sequence[str], Any]]:
        """
        The keys with their values: the first line of each, its lines, and what they parse to.
        """
        pieces = _pieces(self._body, range(len(self._body)))
        return [
            (begin, self._body[begin:end], _parse(self._body[begin:end])) for begin, end in pieces
        ]

    def find(self, path: Path) -> int | None:
        """
        @param path: from the table of the header.
        @return: the number of the line in the body, counted from 0; L{None} if the key isn't
            there.
        """
        for begin, lines, values in self._keys:
            if _has(values, path):
                return begin + self._element(lines, path)
        return None

    def _element(self, lines: Sequence[str], path: Path) -> int:
        """
        @param lines: a key with its value, which may be an array of several lines.
        @return: the line of an element of the array, or of the key.
        """
        if not isinstance(path[-1], int):
            return 0
        cut = (_parse([*lines[: end + 1], "]"]) for end in range(len(lines) - 1))
        found = (number for number, values in enumerate(cut) if _has(values, path))
        return next(found, len(lines) - 1)


class Lines:
    """
    The lines of a TOML text.
    """

    def __init__(self, text: str) -> None:
        """
        @param text: it is TOML.
        """
        self._lines = text.split("\n")
        self._sections: dict[tuple[str | int, ...], _Section] = {}
        # The first header that is at or below a table, by the table's path.
        self._headers: dict[tuple[str | int, ...], int] = {}
        self._lengths: dict[tuple[str | int, ...], int] = {}
        headers = [
            number for number, line in enumerate(self._lines) if line.lstrip().startswith("[")
        ]
        for begin, end in _pieces(self._lines, sorted({0, *headers})):
            self._add(begin, self._lines[begin:end])

    def _add(self, begin: int, lines: Sequence[str]) -> None:
        if not lines[0].lstrip().startswith("["):
            self._sections[()] = _Section(begin, lines)
            return
        base = self._base(lines[0])
        self._sections[base] = _Section(begin + 1, lines[1:])
        for length in range(1, len(base)):
            self._headers.setdefault(base[:length], begin)
        self._headers[base] = begin

    def _base(self, header: str) -> tuple[str | int, ...]:
        """
        @return: the path of the table that a header begins.
        """
        path: tuple[str | int, ...] = ()
        table: Any = _parse([header])
        while table:
            [(key, table)] = table.items()
            path = (*path, key)
            if isinstance(table, list):
                self._lengths[path] = self._lengths.get(path, 0) + 1
                table = None
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        return path

    def line(self, path: Path) -> int:
        """
        @return: the line where a key is written, or else the nearest table or array that
            contains it, counted from 1.
        """
        whole = tuple(path)
        for end in range(len(whole), 0, -1):
            found = self._find(whole[:end])
            if found is not None:
                return found + 1
        return 1

    def _find(self, path: tuple[str | int, ...]) -> int | None:
        if path in self._headers and path in self._sections:
            return self._headers[path]
        for length in range(len(path) - 1, -1, -1):
            section = self._sections.get(path[:length])
            found = section.find(path[length:]) if section else None
            if section and found is not None:
                return section.first + found
        return self._headers.get(path)
