"""
Tests of the settings of a node.
"""

from __future__ import annotations

import attrs

from brxy.node.dial import EdgeTLS
from brxy.node.fields import FIELDS
from brxy.node.settings import NodeSettings
from brxy.test.support.memory.settings import SettingTests


class NodeSettingTests(SettingTests):
    """
    Tests of L{FIELDS}.
    """

    table = FIELDS

    # A generation only grows.
    without_unit = ("generation",)

    def test_fields(self) -> None:
        """
        Each field of the settings objects has one setting, but for C{command}, which
        follows the options, and C{tls}, which is an object of its own.
        """
        fields = {each.name for each in attrs.fields(NodeSettings)}
        fields |= {f"tls.{each.name}" for each in attrs.fields(EdgeTLS)}
        settings = {each.field for each in FIELDS if each.field is not None}
        self.assertEqual(fields - settings, {"command", "tls"})
        self.assertEqual(settings - fields, set())

    def test_oneDefault(self) -> None:
        """
        The settings object has the default of the setting.
        """
        required = {"edge", "route", "capacity"}
        settings = NodeSettings("tcp:e:1", "r", 1)
        for each in FIELDS:
            if each.field and "." not in each.field and each.field not in required:
                self.assertEqual(getattr(settings, each.field), each.value, each.name)
