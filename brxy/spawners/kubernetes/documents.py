"""
YAML as C{kubectl} reads it, which differs from what PyYAML does by itself.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

__all__ = ["BAD_DOCUMENT", "readDocument"]

#: What L{readDocument} raises.
BAD_DOCUMENT = (yaml.YAMLError, ValueError)

_TEXT = "tag:yaml.org,2002:str"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_ONLY_TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


class _Loader(yaml.SafeLoader):
    """
    Dates, C{1:30} and C{=} are text for kubectl, and tags that it does not know are ignored.
    """

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """
        Choose the tag of a node that has none.
        """
        tag = super().resolve(kind, value, implicit)
        text = tag in _ONLY_TEXT or (tag in _NUMBERS and ":" in value)
        return _TEXT if kind is yaml.ScalarNode and text else tag

    def constructUnknown(self, node: Any) -> Any:
        """
        Make a value of a node with an unknown tag.
        """
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return self.construct_scalar(node)


_Loader.add_constructor(None, _Loader.constructUnknown)


def readDocument(content: bytes, first: bool = False) -> Any:
    """
    Read the document in a file, YAML or JSON.

    @param first: ignore further documents.
    @return: its value; L{None} if there is no document.
    @raise Exception: one of L{BAD_DOCUMENT}: it can't be read, or is not the only one.
    """
    # PyYAML does not read JSON with tabs between its values.
    try:
        return json.loads(content)
    except ValueError:
        pass
    if first:
        return next(yaml.load_all(content, _Loader), None)
    return yaml.load(content, _Loader)
