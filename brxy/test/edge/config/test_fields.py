"""
Tests of the settings of an edge.
"""

from __future__ import annotations

from typing import Any

import attrs

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import EdgeSettings, MetricsSettings, NodeTLSFiles, Spawning
from brxy.scaler.rules import Rule
from brxy.spawners.spec import Common, optionKeys
from brxy.test.support.memory.settings import SettingTests

#: Settings objects, by the paths of their fields.
OBJECTS = {
    "": EdgeSettings,
    "limits.": Limits,
    "metrics.": MetricsSettings,
    "node_tls.": NodeTLSFiles,
    "spawns.rule.": Rule,
    "spawns.spawning.": Spawning,
}

#: Fields that are made of others, and what of.
DERIVED = {
    "limits": "limits.",
    "metrics": "metrics.",
    "node_tls": "node_tls.",
    "tls_frontends": "frontends",
    "aliases": "spawns",
    "routed": "spawns",
    "log_format": "app_log_dir",
    "private_node_port": "node_ports",
    "private_admin": "admin",
    # By the configuration files, as their spawns.
    "watched": "spawns",
    # By each spawn string, with the settings as its defaults.
    "spawns.rule.pattern": "spawns",
    "spawns.rule.name": "spawns",
    "spawns.rule.recovers": "spawns",
    "spawns.spawning.spawner": "spawns",
    "spawns.spawning.send_proxy": "spawns",
    "spawns.spawning.speaks_first": "spawns",
}


class EdgeSettingTests(SettingTests):
    """
    Tests of L{FIELDS}.
    """

    table = FIELDS

    def test_fields(self) -> None:
        """
        Each field of the settings objects has one setting, or is derived; and there is
        no setting for another one.
        """
        fields = [
            path + each.name for path, kind in OBJECTS.items() for each in attrs.fields(kind)
        ]
        settings = [each.field for each in FIELDS if each.field is not None]
        self.assertEqual(sorted([*settings, *DERIVED]), sorted(fields))
        for source in DERIVED.values():
            self.assertTrue(any(each.startswith(source) for each in settings), source)

    def test_oneDefault(self) -> None:
        """
        A settings object has the default of the setting.
        """
        objects: dict[str, Any] = {
            "": EdgeSettings(ports=[]),
            "limits.": Limits(),
            "metrics.": MetricsSettings(),
        }
        for each in FIELDS:
            path, _, name = (each.field or ".").rpartition(".")
            if name and not path.startswith(("spawns", "node_tls")) and not each.repeatable:
                found = getattr(objects[f"{path}." if path else ""], name)
                self.assertEqual(found, each.value, each.name)

    def test_spawnKeys(self) -> None:
        """
        What spawn strings set for some routes is a key that every spawner has.
        """
        keys = {each.spawn_key for each in FIELDS if each.spawn_key}
        own = {"route", "send-proxy", "speaks-first", "on-change", "name"}
        self.assertEqual(set(optionKeys(Common)) - keys, own)
        self.assertEqual(keys - set(optionKeys(Common)), set())
        for each in FIELDS:
            self.assertEqual(each.scope, "route" if each.spawn_key in keys else "edge")

    def test_reloadable(self) -> None:
        """
        What is read anew at SIGHUP are files.
        """
        self.assertEqual(
            [each.name for each in FIELDS if each.reloadable],
            [
                "error-pages",
                "tls-certs",
                "token-file",
                "node-tls-cert",
                "node-tls-key",
                "node-tls-ca",
                "admin-token-file",
            ],
        )
