"""
Values of TOML as the texts that converters take.

Pure: values in, texts out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from brxy.edge.config.files.keys import FLAGS, LIST, LISTS, TABLE, Key
from brxy.values.converters import BadEntry

__all__ = ["Wrong", "convert", "scalar"]


class Wrong(Exception):
    """
    A value that can't be used.

    @ivar path: where it is in the value of its key.
    """

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


def scalar(value: Any) -> str | None:
    """
    @return: a text, or a number as a text; L{None} for another value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)


def convert(key: Key, value: Any) -> tuple[Any, Any]:
    """
    Convert the value of a key.

    @return: the value as the converter took it, and what the converter made of it.
    @raise Wrong: it is not a value of this key.
    """
    if key.form == FLAGS:
        if not isinstance(value, bool):
            raise Wrong(f"bad {key.name} {_shown(value)}: true or false is needed")
        return value, value
    if key.form == LISTS:
        found = list(_each(key, value))
        return [text for text, _ in found], [result for _, result in found]
    given = _shaped(key, value)
    return given, _converted(key, given, value)


def _each(key: Key, value: Any) -> Iterator[tuple[str, Any]]:
    for number, each in enumerate(value if isinstance(value, list) else [value]):
        try:
            text = scalar(each)
            if text is None:
                raise _notText(key, each)
            yield text, _converted(key, text, each)
        except Wrong as wrong:
            path = (number,) if isinstance(value, list) else ()
            raise Wrong(str(wrong), path) from None


def _shaped(key: Key, value: Any) -> Any:
    """
    @return: a text, or an array or table of texts.
    """
    if key.form == LIST and isinstance(value, list):
        return tuple(_text(key, each, (number,)) for number, each in enumerate(value))
    if key.form == TABLE and isinstance(value, dict):
        return {name: _text(key, each, (name,)) for name, each in value.items()}
    text = scalar(value)
    if text is None:
        raise _notText(key, value)
    return text


def _text(key: Key, value: Any, path: tuple[str | int, ...]) -> str:
    text = scalar(value)
    if text is None:
        raise Wrong(f"bad {key.name}: {path[0]} needs a text or a number", path)
    return text


def _notText(key: Key, value: Any) -> Wrong:
    try:
        key.convert(_shown(value))
    except ValueError as error:
        return Wrong(f"bad {key.name} {_shown(value)}: {error}")
    # Its converter takes any text.
    needed = key.takes or "a text"
    return Wrong(f"bad {key.name} {_shown(value)}: {needed} is needed, in quotes")


def _converted(key: Key, given: Any, value: Any) -> Any:
    try:
        return key.convert(given)
    except ValueError as error:
        # A table is an environment, which may have secrets.
        secret = key.is_secret or key.form == TABLE or isinstance(value, list)
        shown = key.name if secret else f"{key.name} {_shown(value)}"
        path = error.path if isinstance(error, BadEntry) else ()
        raise Wrong(f"bad {shown}: {error}", path) from None


def _shown(value: Any) -> str:
    """
    @return: a value in short, as a user knows it.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{...}"
    if isinstance(value, list):
        return "[...]"
    return repr(value) if isinstance(value, str) else str(value)
