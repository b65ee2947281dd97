"""
All results of a measurement of proxies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from benchmarks.http.contender import Contender
from benchmarks.http.memory import Held
from benchmarks.http.syscalls import Calls
from benchmarks.report.figures import Row, Window, summary

__all__ = ["Results"]


@frozen
class Results:
    """
    All results.

    @ivar machine: the machine and the programs, by name.
    @ivar left_out: lines about what is missing, and why.
    """

    machine: Mapping[str, str]
    contenders: Sequence[Contender]
    left_out: Sequence[str]
    windows: Sequence[Window]
    calls: Sequence[Calls]
    memory: Sequence[Held]

    @property
    def titles(self) -> dict[str, str]:
        """
        @return: the titles of contenders, in their order.
        """
        return {one.name: one.title for one in self.contenders}

    def rows(self, load: str) -> list[Row]:
        """
        @return: the results of the contenders under one load, in their order.
        """
        references = {one.name: one.reference for one in self.contenders}
        order = list(references)
        windows = [window for window in self.windows if window.load.name == load]
        return sorted(summary(windows, references), key=lambda row: order.index(row.contender))

    @property
    def loads(self) -> list[str]:
        """
        @return: the names of the loads, in their order.
        """
        return list(dict.fromkeys(window.load.name for window in self.windows))

    def write(self, file: Path) -> None:
        """
        Write the results as JSON.
        """
        found: dict[str, Any] = {
            "machine": self.machine,
            "left_out": self.left_out,
            "titles": self.titles,
            "summary": [attrs.asdict(row) for load in self.loads for row in self.rows(load)],
            "calls": [attrs.asdict(one) for one in self.calls],
            "memory": [attrs.asdict(one) for one in self.memory],
            "windows": [
                {**attrs.asdict(window), "load": window.load.name} for window in self.windows
            ],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
