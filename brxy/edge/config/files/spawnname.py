"""
The names of the spawns of configuration files.

Pure: text in, text out.
"""

from __future__ import annotations

import re
from hashlib import sha256

__all__ = ["spawnNameOf"]

_LONGEST = 30

_OTHERS = re.compile(r"[^A-Za-z0-9-]")


def spawnNameOf(host: str, number: int) -> str:
    """
    Name a spawn by its route, so that it has the same name whatever other routes there are.

    @param number: of the spawn in its route, counted from 0.
    @return: a name as L{brxy.values.converters.spawnName} allows: C{shop_example_com}, for the
        next spawn of the route C{shop_example_com-2}.
    """
    text = {"*": "all"}.get(host, host.replace("*", "any", 1))
    end = f"-{number + 1}" if number else ""
    name = _OTHERS.sub("_", text).strip("_-")
    if not name or len(name) + len(end) > _LONGEST:
        digest = sha256(host.encode()).hexdigest()[:8]
        name = f"{name[: _LONGEST - len(digest) - len(end) - 1]}_{digest}".strip("_-")
    return name + end
