"""
What is wrong in a configuration file, with the lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brxy.tomlfile.document import BadToml, Document
from brxy.tomlfile.lines import Path
from brxy.values.text import printable

__all__ = ["TomlFile", "place"]


class TomlFile:
    """
    One file that was read, and what is wrong in it.

    @ivar name: its path, as errors name it.
    @ivar values: its top table; empty if the file can't be read.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: Mapping[str, Any] = {}
        self._document: Document | None = None
        self._faults: list[tuple[int, str]] = []
        try:
            with open(name, encoding="utf-8-sig", newline="") as file:
                self._document = Document(file.read())
            self.values = self._document.values
        except OSError as error:
            self._faults.append((1, error.strerror or str(error)))
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            self._faults.append((line, "the file is not UTF-8"))
        except BadToml as error:
            self._faults.append((error.line, str(error)))

    def fault(self, path: Path, message: str) -> None:
        """
        Note that something is wrong.

        @param path: of the key or table.
        """
        self._faults.append((self.line(path), message))

    def line(self, path: Path) -> int:
        """
        The line of a key or table.
        """
        return self._document.line(path) if self._document else 1

    def faults(self) -> tuple[str, ...]:
        """
        What is wrong, in the order of the lines.
        """
        found = sorted(dict.fromkeys(self._faults), key=lambda each: each[0])
        return tuple(f"{self.name}:{line}: {printable(message)}" for line, message in found)


def place(file: str, path: Path) -> str:
    """
    @return: C{FILE:LINE} of a key.  The file is read again.
    """
    return f"{file}:{TomlFile(file).line(path)}"
