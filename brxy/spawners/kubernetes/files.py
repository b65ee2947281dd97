"""
Kubeconfig files and templates of Pods.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from brxy.errors import BadSpawnSpec
from brxy.spawners.kubernetes.pod import checkTemplate
from brxy.values.text import oneLine

__all__ = ["Entry", "Kubeconfig", "loadKubeconfig", "loadTemplate"]


_NO_LINES = str.maketrans("", "", "\r\n")


@frozen
class Entry:
    """
    A context, cluster or user of a kubeconfig.

    @ivar folder: the folder that paths in it are relative to.
    """

    kind: str
    name: str
    value: Mapping[str, Any]
    folder: Path

    def text(self, key: str) -> str:
        """
        @return: a value; C{""} if there is none.
        @raise BadSpawnSpec: the value is not text.
        """
        value = self.value.get(key)
        if value is not None and not isinstance(value, str):
            raise self.error(f"{key} is not text")
        return value or ""

    def data(self, key: str) -> bytes:
        """
        @return: a value that is data, as base64 or as a list of numbers; C{b""} if there is
            none.
        @raise BadSpawnSpec: it is neither.
        """
        value = self.value.get(key)
        try:
            if isinstance(value, list):
                return bytes(map(_byte, value))
            # It may have several lines, as kubectl permits.
            return base64.b64decode(self.text(key).translate(_NO_LINES), validate=True)
        except (ValueError, OverflowError):
            raise self.error(f"{key} is not base64") from None

    def path(self, key: str) -> Path | None:
        """
        @return: a value that is a path, as an absolute path.
        """
        text = self.text(key)
        return self.folder / text if text else None

    def within(self, key: str) -> Entry:
        """
        @return: a value that is a mapping.
        @raise BadSpawnSpec: the value is not a mapping.
        """
        value = self.value.get(key)
        if not isinstance(value, dict):
            raise self.error(f"{key} is not a mapping")
        return Entry(self.kind, self.name, value, self.folder)

    def error(self, what: str) -> BadSpawnSpec:
        """
        @return: an error that names this entry.
        """
        return BadSpawnSpec(f"kubernetes: kubeconfig: the {self.kind} {self.name!r}: {what}")


def _byte(value: Any) -> int:
    # As the reader of kubectl does, which is Go's.
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise ValueError
    return int(value)


@frozen
class Kubeconfig:
    """
    The merged contents of kubeconfig files: of entries with the same name, the first
    counts.

    @ivar named: the names of the files, for messages.
    """

    named: str
    current: str
    entries: Mapping[tuple[str, str], Entry]

    def entry(self, kind: str, name: str) -> Entry:
        """
        @param kind: C{context}, C{cluster} or C{user}.
        @return: the entry of this name.
        @raise BadSpawnSpec: there is none.
        """
        found = self.entries.get((kind, name))
        if found is None:
            raise BadSpawnSpec(f"kubernetes: {self.named}: there is no {kind} {name!r}")
        return found


def loadKubeconfig(paths: Sequence[Path]) -> Kubeconfig:
    """
    Read kubeconfig files.

    @raise BadSpawnSpec: one of them can't be read, or is not a kubeconfig.
    """
    current = ""
    entries: dict[tuple[str, str], Entry] = {}
    for path in paths:
        # kubectl takes an empty file for a kubeconfig without entries, and ignores all
        # documents but the first.
        content = _loadYAML(path, first=True)
        content = {} if content is None else content
        if not isinstance(content, dict):
            raise BadSpawnSpec(f"kubernetes: {path}: it is not a kubeconfig")
        current = current or str(content.get("current-context") or "")
        for kind in ("context", "cluster", "user"):
            listed = content.get(f"{kind}s") or []
            if not isinstance(listed, list):
                raise BadSpawnSpec(f"kubernetes: {path}: {kind}s is not a list")
            for each in listed:
                entry = _entry(path, kind, each)
                entries.setdefault((kind, entry.name), entry)
    return Kubeconfig(", ".join(map(str, paths)), current, entries)


def _entry(path: Path, kind: str, listed: Any) -> Entry:
    try:
        given = listed or {}
        name, value = given.get("name") or "", given.get(kind) or {}
        if isinstance(name, str) and isinstance(value, dict):
            return Entry(kind, name, value, path.absolute().parent)
    except AttributeError:
        pass
    raise BadSpawnSpec(f"kubernetes: {path}: one of its {kind}s has no name, or is not a mapping")


def loadTemplate(path: Path) -> dict[str, Any]:
    """
    Read a Pod from a file, YAML or JSON.

    @raise BadSpawnSpec: the file can't be read, or is not a Pod.
    """
    try:
        return checkTemplate(_loadYAML(path))
    except ValueError as error:
        raise BadSpawnSpec(f"kubernetes: template {path}: {error}") from None


def _loadYAML(path: Path, first: bool = False) -> Any:
    """
    Read a file with YAML, or with JSON.

    @param first: ignore all documents but the first.
    """
    # The import takes a while, and most edges never need it.
    from brxy.spawners.kubernetes.documents import BAD_DOCUMENT, readDocument

    try:
        return readDocument(path.read_bytes(), first)
    except OSError as error:
        raise BadSpawnSpec(f"kubernetes: {path}: {error.strerror or error}") from None
    except BAD_DOCUMENT as error:
        raise BadSpawnSpec(f"kubernetes: {path}: {oneLine(error)}") from None
