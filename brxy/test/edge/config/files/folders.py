"""
Configuration files of tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.files.loading import checkFile

__all__ = ["FileTests", "toml"]


def toml(value: Any) -> str:
    """
    A value as TOML has it, on one line.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else str(value)


class FileTests(SynchronousTestCase):
    """
    Tests with files in a folder of their own.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def write(self, text: str, name: str = "brxy.toml") -> str:
        """
        @return: the path of a file with this text.
        """
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    def faults(self, text: str) -> list[str]:
        """
        @return: what is wrong with a file, without its path.
        """
        path = self.write(text)
        return [each.removeprefix(f"{path}:") for each in checkFile(path)]
