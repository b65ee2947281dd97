"""
Tests of tables of settings, and of the C{--help} that is made from them.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.program.fields import COMMON, FLAG, SECONDS, Setting, Table, count
from brxy.program.helptext import helpText

WAIT = Setting(
    name="wait",
    short="w",
    group="Times",
    kind=SECONDS,
    help="How long.",
    field="times.wait",
    default="1.5",
    spawn_key="wait",
)
DEPTH = Setting(
    name="depth",
    group="Numbers",
    kind=count("floors", zero="no limit"),
    help="How far down.",
    field="depth",
    default_note="no end",
)
FAST = Setting(name="fast", group="Times", kind=FLAG, help="Hurry.", field="is_fast")
SECRET = Setting(
    name="secret",
    group="Numbers",
    kind=count("secrets"),
    help="Not an option.",
    field="secret",
    environment="SECRET",
    is_option=False,
)
TABLE = Table((WAIT, DEPTH, FAST, SECRET))


class TableTests(SynchronousTestCase):
    """
    Tests of L{Setting} and L{Table}.
    """

    def test_value(self) -> None:
        """
        A default is text, and its value is what the converter makes of it.
        """
        self.assertEqual([each.value for each in TABLE], [1.5, None, False, None])

    def test_scope(self) -> None:
        """
        A setting that spawn strings have a key for may differ from route to route.
        """
        self.assertEqual([each.scope for each in (WAIT, DEPTH)], ["route", "edge"])

    def test_lookup(self) -> None:
        """
        Settings are found by their names, and defaults by the paths of fields.
        """
        self.assertIs(TABLE["depth"], DEPTH)
        self.assertEqual(TABLE.default("times.wait"), 1.5)
        self.assertIsNone(TABLE.default("depth"))

    def test_groups(self) -> None:
        """
        Options stand together with the others of their group.
        """
        self.assertEqual(TABLE.groups(), {"Times": [WAIT, FAST], "Numbers": [DEPTH]})

    def test_values(self) -> None:
        """
        What was given becomes the fields of a settings object, or of one inside it.
        """
        given = {"wait": 2.0, "depth": 3, "fast": 1, "secret": 4}
        self.assertEqual(TABLE.values(given), {"depth": 3, "is_fast": True, "secret": 4})
        self.assertEqual(TABLE.values(given, "times."), {"wait": 2.0})


class HelpTextTests(SynchronousTestCase):
    """
    Tests of L{helpText}.
    """

    def test_options(self) -> None:
        """
        Options stand under the headings of their groups, with their defaults; those that
        come from the environment alone are left out.
        """
        lines = helpText(TABLE, "Does it.", (), 80).splitlines()
        start = lines.index("Times:")
        self.assertEqual(lines[:2], ["", "Does it."])
        self.assertEqual(
            lines[start:],
            [
                "Times:",
                "  -w, --wait TIME          How long. [default: 1.5]",
                "      --fast               Hurry.",
                "",
                "Numbers:",
                "      --depth N            How far down. 0: no limit. [default: no end]",
            ],
        )

    def test_notation(self) -> None:
        """
        How times are written is said where there are times.
        """
        self.assertIn("\n\nA TIME is a number of seconds", helpText(TABLE, "Does it.", (), 80))
        self.assertNotIn("SIZE", helpText(TABLE, "Does it.", (), 80))
        self.assertNotIn("TIME", helpText(Table(COMMON), "Does it.", (), 80))

    def test_examples(self) -> None:
        """
        Examples come last, as they are.
        """
        text = helpText(TABLE, "Does it.", ("run \\\n  --fast", "run"), 80)
        self.assertTrue(text.endswith("\n\nExamples:\n  run \\\n    --fast\n  run"), text)

    def test_width(self) -> None:
        """
        No line is longer than the terminal is wide.
        """
        for width in (60, 80, 100):
            for line in helpText(Table(COMMON), "Does it. " * 20, (), width).splitlines():
                self.assertLessEqual(len(line), width)
