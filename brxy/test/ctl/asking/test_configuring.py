"""
Tests of L{brxy.ctl.asking.configuring}.
"""

from __future__ import annotations

import tomllib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.ctl.asking.configuring import differenceLines, tomlLines

__all__ = ["ConfiguringTests"]


def change(kind: str, name: str, on_change: Any = None, **values: Any) -> dict[str, Any]:
    """
    A change as an edge shows it.
    """
    found = [{"key": key, "before": 1, "after": value} for key, value in values.items()]
    return {"kind": kind, "name": name, "on_change": on_change, "differences": found}


class ConfiguringTests(SynchronousTestCase):
    """
    Tests of the texts.
    """

    def test_toml(self) -> None:
        """
        A configuration is printed as TOML, without what is not set.
        """
        found = {
            "edge": {"port": ["a", "b"], "hsts": None, "on": True, "share": 0.5},
            "spawns": {"ä.b": {"env": {"A b": "***", "C": None}, "command": ['"\\\x1b\x7f']}},
            "routes": [{"max": 3}],
        }
        self.assertEqual(
            tomllib.loads("\n".join(tomlLines(found))),
            {
                "edge": {"port": ["a", "b"], "on": True, "share": 0.5},
                "spawns": {"ä.b": {"env": {"A b": "***"}, "command": ['"\\\x1b\x7f']}},
                "routes": [{"max": 3}],
            },
        )

    def test_differences(self) -> None:
        """
        What a reload would change is said in words.
        """
        changes = [
            change("added", "a"),
            change("removed", "b"),
            change("adjusted", "c", max=2),
            change("replaced", "d", "next", command=["x\x1b"], max=None),
            change("set", "hold-timeout", **{"hold-timeout": 2}),
            change("restart", "tls-certs"),
        ]
        self.assertEqual(
            list(differenceLines({"errors": ["f:1: no"], "changes": changes})),
            [
                "cannot be used: f:1: no",
                "a would be added",
                "b would be removed, and its instances drained",
                "c would change at once",
                "    max: 1 -> 2",
                "d would change with its next instances",
                '    command: 1 -> ["x\\u001b"]',
                "    max: 1 -> not set",
                "hold-timeout would change at once: 1 -> 2",
                "tls-certs would change only after a restart",
            ],
        )
        self.assertEqual(
            list(differenceLines({"errors": [], "changes": []})), ["nothing would change"]
        )
