"""
Makes the JSON Schema of configuration files, C{doc/brxy.schema.json}.
C{python -m brxy.test.house.schemafile} writes the file.
"""

from __future__ import annotations

from pathlib import Path

import brxy
from brxy.edge.config.files.schema import schemaText
from brxy.spawners.registry import BUILT_IN, findSpawner

__all__ = ["COMMAND", "FILE", "fileText"]

FILE = Path(brxy.__file__).parents[1] / "doc" / "brxy.schema.json"

#: Writes the file.
COMMAND = "python -m brxy.test.house.schemafile"


def fileText() -> str:
    """
    The schema, with the spawners of brxy.
    """
    return schemaText({each.name: findSpawner(each.name) for each in BUILT_IN})


if __name__ == "__main__":
    FILE.write_text(fileText())
