"""
Where changes of configuration files show.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from glob import glob, has_magic

__all__ = ["Places", "placesOf"]

#: Folders, with the names or patterns of names in each that matter.
Places = Mapping[str, frozenset[str]]

# A volume of Kubernetes: its files are links by way of this link, which is replaced.
_DATA = "..data"


def placesOf(main: str, patterns: Iterable[str], files: Iterable[str]) -> Places:
    """
    @param main: the path of the configuration file.
    @param patterns: what it includes.
    @param files: the paths of all files that were read.
    """
    found: dict[str, set[str]] = defaultdict(set)
    top = os.path.dirname(main)
    for pattern in (os.path.basename(main), *patterns):
        for folder, name in _steps(top, pattern):
            found[folder or "."] |= {name, _DATA}
    for file in files:
        if os.path.islink(file):
            folder, name = os.path.split(os.path.realpath(file))
            found[folder].add(name)
    return {folder: frozenset(names) for folder, names in found.items()}


def _steps(top: str, pattern: str) -> Iterator[tuple[str, str]]:
    """
    @return: the folders that a pattern leads through, with what is looked for in each.
    """
    whole = os.path.join(top, pattern)
    folder, name = os.path.split(whole)
    for each in glob(folder) if folder else [folder]:
        if not each or os.path.isdir(each):
            yield each, name
    # A folder that is missing, a link or one of several may come, go or be replaced.
    while folder not in ("", "/", top):
        above, name = os.path.split(folder)
        if has_magic(name) or os.path.islink(folder) or not os.path.isdir(folder):
            for each in glob(above) if above else [above]:
                if not each or os.path.isdir(each):
                    yield each, name
        folder = above
