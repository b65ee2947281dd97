"""
Fields of attrs classes that are keys of a route in a configuration file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field

__all__ = ["key"]


def key(default: Any, convert: Callable[..., Any], help: str, takes: str = "", **more: Any) -> Any:
    """
    A field that is a key of the same name.

    @param convert: makes the value of a text, or of what C{form} says; for a C{group} a class
        whose fields are the keys of the table.
    @param help: what it is, in one line.
    @param takes: the values that are accepted.
    @param more: C{form} and C{is_file}, see L{brxy.edge.config.files.keys.Key}; C{in_defaults}:
        C{[defaults]} may have it as well.
    """
    return field(default=default, metadata=dict(convert=convert, help=help, takes=takes, **more))
