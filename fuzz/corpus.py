"""
The corpus: for each target, inputs that together reach every branch that was
reached.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

__all__ = ["ROOT", "fill", "keep", "kept"]

#: This package's folder.
ROOT = Path(__file__).parent

_FOLDER = ROOT / "corpus"


def kept(name: str) -> list[bytes]:
    """
    @return: the inputs that are kept for a target: a JSON string a line, each
        character a byte.
    """
    path = _FOLDER / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line).encode("latin-1") for line in path.read_text().splitlines()]


def keep(name: str, folder: Path) -> None:
    """
    Keep exactly the files of a folder.
    """
    inputs = sorted(
        (each.read_bytes() for each in folder.iterdir()), key=lambda each: (len(each), each)
    )
    lines = [json.dumps(each.decode("latin-1")) + "\n" for each in inputs]
    (_FOLDER / f"{name}.jsonl").write_text("".join(lines))


def fill(folder: Path, inputs: Iterable[bytes]) -> None:
    """
    Write these inputs to a folder, in the form that libFuzzer reads.
    """
    folder.mkdir()
    for each in inputs:
        (folder / sha256(each).hexdigest()).write_bytes(each)
