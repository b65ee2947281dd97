"""
Tests of L{brxy.edge.admin.state.configview}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.state.configview import configView, differences
from brxy.edge.config.fields import FIELDS
from brxy.edge.config.files.configuration import NO_FILES
from brxy.edge.config.files.loading import loadFiles
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.routing.fields import Headers, RequestHeaders, ResponseHeaders
from brxy.edge.routing.settings import RoutedHosts, RouteSettings

__all__ = ["ConfigViewTests"]


class ConfigViewTests(SynchronousTestCase):
    """
    Tests of L{configView}.
    """

    def view(self, *spawns: str, **given: object) -> dict[str, dict[str, dict[str, object]]]:
        """
        @return: the view of an edge with these spawns and options.
        """
        values: dict[str, Any] = {each.name: [] if each.repeatable else None for each in FIELDS}
        values.update({"spawn": list(spawns), **given})
        settings = loadFiles(values, NO_FILES, Clock()).settings
        assert settings is not None
        found = configView(settings)
        self.assertEqual(json.loads(json.dumps(found)), found)
        return found

    def test_secrets(self) -> None:
        """
        The values of variables are not shown, whatever they contain.
        """
        found = self.view(r"app: max=3 env=A=hunter2,B=x,hunter2=y -- ls -l")
        self.assertNotIn("hunter2", json.dumps(found).replace('hunter2": "***', ""))
        spawn = found["spawns"]["app"]
        self.assertEqual((spawn["kind"], spawn["max"]), ("app", 3))
        self.assertEqual((spawn["capacity"], spawn["command"]), ("auto", ["ls", "-l"]))

    def test_headers(self) -> None:
        """
        What a route sets in requests is not shown either.
        """
        headers = Headers(
            RequestHeaders(set=[(b"Authorization", b"hunter2")], remove=[b"Cookie"]),
            ResponseHeaders(add=[(b"X-Frame-Options", b"DENY")]),
        )
        routed = [RoutedHosts("a", ["a"], RouteSettings(headers=headers))]
        [route] = configView(EdgeSettings(ports=[], routed=routed))["routes"]
        shown = route["settings"]["headers"]
        self.assertEqual(shown["request"]["set"], {"Authorization": "***"})
        self.assertEqual(shown["request"]["remove"], ["Cookie"])
        self.assertEqual(shown["response"]["add"], {"X-Frame-Options": "DENY"})

    def test_options(self) -> None:
        """
        Each option has its value.
        """
        found = self.view("app: -- ls", **{"hold-timeout": 7.5})
        self.assertEqual(found["edge"]["hold-timeout"], 7.5)
        self.assertEqual(found["edge"]["max-held"], 1000)

    def test_differences(self) -> None:
        """
        What differs is found by its key.
        """
        before = self.view("app: max=3 -- ls")["spawns"]["app"]
        after = self.view("app: max=4 -- ls -l")["spawns"]["app"]
        self.assertEqual(
            list(differences(before, after)),
            [
                {"key": "max", "before": 3, "after": 4},
                {"key": "command", "before": ["ls"], "after": ["ls", "-l"]},
            ],
        )
