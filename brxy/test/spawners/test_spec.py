"""
Tests of L{brxy.spawners.spec}.
"""

from __future__ import annotations

from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadSpawnSpec
from brxy.spawners.spec import (
    Common,
    SpawnSpec,
    optionKeys,
    parseSpawn,
    positiveInt,
    routePattern,
    seconds,
    spawnName,
    splitCommon,
)
from brxy.test.support.memory.examples import bounded
from brxy.values.capacity import AUTO


class ParseTests(SynchronousTestCase):
    """
    Tests of L{parseSpawn}.
    """

    def assertBad(self, text: str, message: str) -> None:
        """
        It is refused with this line.
        """
        error = self.assertRaises(BadSpawnSpec, parseSpawn, text)
        self.assertEqual(str(error), message)

    def test_named(self) -> None:
        """
        A name, keys and a command, split as a shell would.
        """
        self.assertEqual(
            parseSpawn("app: max=3 'ready-path=/a b' -- python 'my app.py' --x=1 -- y"),
            SpawnSpec(
                "app",
                {"max": "3", "ready-path": "/a b"},
                ("python", "my app.py", "--x=1", "--", "y"),
            ),
        )

    def test_parts(self) -> None:
        """
        Keys and command are optional; values may be empty and hold C{=}.
        """
        self.assertEqual(parseSpawn("docker:"), SpawnSpec("docker"))
        self.assertEqual(parseSpawn("docker: --"), SpawnSpec("docker"))
        self.assertEqual(
            parseSpawn("k8s: label=a=b image="), SpawnSpec("k8s", {"label": "a=b", "image": ""})
        )

    def test_bare(self) -> None:
        """
        Without a name it is a command for C{process:}.
        """
        command = ("twistd", "-n", "brxy-node", "--", "python", "a=b", "c:")
        self.assertEqual(parseSpawn(" ".join(command)), SpawnSpec("process", {}, command))
        for word in ("./app:", "C:", "app:x", "a=b"):
            self.assertEqual(parseSpawn(word), SpawnSpec("process", {}, (word,)))

    def test_empty(self) -> None:
        """
        An empty one says nothing.
        """
        self.assertBad("", "bad --spawn: it is empty")
        self.assertBad("  ", "bad --spawn: it is empty")

    def test_quotes(self) -> None:
        """
        Quotes must be closed.
        """
        self.assertBad("app: -- 'x", 'bad --spawn "app: -- \'x": no closing quotation')

    def test_noKey(self) -> None:
        """
        What stands before C{--} must be a key with a value.
        """
        for word in ("foo", "=x", "Max=3", "max_2=3", "-x=1"):
            self.assertBad(
                f"process: {word}", f"process: '{word}' is not key=value (a command goes after --)"
            )

    def test_twice(self) -> None:
        """
        A key is given once.
        """
        self.assertBad("app: max=1 max=2", "app: max= is given twice")

    def test_glued(self) -> None:
        """
        A key that touches the name is a slip, no command.
        """
        self.assertBad(
            "app:max=2 -- x",
            "bad --spawn 'app:max=2 -- x': a space is missing after the colon",
        )
        for text in ("app:-- x", "app:--"):
            why = f"bad --spawn {text!r}: a space is missing after the colon"
            self.assertBad(text, why)

    @bounded(200)
    @given(st.text(st.sampled_from("ab:=-'\" \\\n"), max_size=20))
    def test_anything(self, text: str) -> None:
        """
        Whatever is given, it is understood or refused with one line.
        """
        try:
            parseSpawn(text)
        except BadSpawnSpec as error:
            self.assertNotIn("\n", str(error))


class ConverterTests(SynchronousTestCase):
    """
    Tests of the converters.
    """

    def test_positiveInt(self) -> None:
        """
        Whole numbers from 1.
        """
        self.assertEqual(positiveInt("12"), 12)
        for text in ("0", "-1", "1.5", "", "x", "1_0", " 1", "\u0663"):
            self.assertRaises(ValueError, positiveInt, text)

    def test_seconds(self) -> None:
        """
        Finite times, not below 0.
        """
        self.assertEqual([seconds("0"), seconds("1.5"), seconds(30)], [0, 1.5, 30])
        for text in ("-1", "inf", "nan", "", "5 s"):
            self.assertRaises(ValueError, seconds, text)

    def test_routePattern(self) -> None:
        """
        Names of routes, and patterns that end in one.
        """
        self.assertEqual(routePattern("Example.COM"), "example.com")
        self.assertEqual(routePattern("*.Example.com"), "*.example.com")
        for text in ("", "*", "*.", "a.*.b", "a b", "*.*.b", "-x", "../x"):
            self.assertRaises(ValueError, routePattern, text)


@frozen
class _Own:
    """
    Options of some spawner.
    """

    host: str
    stop_timeout: float = field(default=10.0, converter=seconds)


class SplitTests(SynchronousTestCase):
    """
    Tests of L{splitCommon}.
    """

    def assertBad(self, options: dict[str, str], message: str) -> None:
        """
        These options are refused with this line.
        """
        spec = SpawnSpec("ssh", options)
        error = self.assertRaises(BadSpawnSpec, splitCommon, spec, _Own)
        self.assertEqual(str(error), message)

    def test_split(self) -> None:
        """
        Each key goes where it belongs, converted.
        """
        spec = parseSpawn(
            "ssh: host=h stop-timeout=2 route=*.Example.com max=3 capacity=50 max-capacity=60"
            " idle-timeout=0 old-idle-timeout=1.5 send-proxy=v2 speaks-first=server"
            " on-change=next name=Big_one-2"
        )
        self.assertEqual(
            splitCommon(spec, _Own),
            (
                Common(
                    *("*.example.com", "3", "50", "60", "0", "1.5", "v2", "server", "next"),
                    "Big_one-2",
                ),
                _Own("h", 2),
            ),
        )

    def test_auto(self) -> None:
        """
        A capacity may be learned, which is a value of its own and not the default; what
        is neither that nor a number is refused, and the message says what is needed.
        """
        for text, capacity in (("auto", AUTO), ("10000", 10_000)):
            common, _ = splitCommon(SpawnSpec("ssh", {"host": "h", "capacity": text}), _Own)
            self.assertEqual(common.capacity, capacity)
        needed = "a whole number from 1 to 10000 is needed"
        for key, text, why in (
            ("capacity", "0", f"auto or {needed}"),
            ("capacity", "10001", f"auto or {needed}"),
            ("capacity", "AUTO", f"auto or {needed}"),
            ("max-capacity", "auto", needed),
            ("max-capacity", "0", needed),
            ("speaks-first", "both", "client or server is needed"),
            ("on-change", "stop", "roll, next or restart is needed"),
        ):
            bad = f"ssh: bad value for {key}: {text!r} ({why})"
            self.assertBad({"host": "h", key: text}, bad)

    def test_defaults(self) -> None:
        """
        What is not given is the default, L{None} for what the edge decides.
        """
        self.assertEqual(
            splitCommon(SpawnSpec("ssh", {"host": "h"}), _Own), (Common(), _Own("h", 10))
        )

    def test_unknown(self) -> None:
        """
        An unknown key is answered with those that are known.
        """
        self.assertBad(
            {"host": "h", "port": "1"},
            "ssh: does not know port= (known: host, stop-timeout, route, max, capacity,"
            " max-capacity, idle-timeout, old-idle-timeout, send-proxy, speaks-first,"
            " on-change, name)",
        )

    def test_names(self) -> None:
        """
        A name is of few characters, and not too long.
        """
        self.assertEqual(spawnName("a" * 30), "a" * 30)
        for bad in ("", "a b", "a.b", "\u00e4", "a/b", "a" * 31, "a\n", "-a", "a_"):
            self.assertRaises(ValueError, spawnName, bad)

    def test_missing(self) -> None:
        """
        A key without a default must be given.
        """
        self.assertBad({}, "ssh: needs host=")

    def test_bad(self) -> None:
        """
        A bad value is named with its key.
        """
        time = "0 or more, is needed, or a time such as 90s, 5m or 1h30m"
        for key, value, reason in (
            ("max", "x", "a whole number, 1 or more, is needed"),
            ("route", "a b", "a host name, or one with *. before it, is needed"),
            (
                "stop-timeout",
                "soon",
                f"a number of seconds, {time}",
            ),
            ("send-proxy", "2", "v1 or v2 is needed"),
        ):
            self.assertBad(
                {"host": "h", key: value}, f"ssh: bad value for {key}: '{value}' ({reason})"
            )

    def test_twoBad(self) -> None:
        """
        Of two bad values the first is named, with its own reason, in whatever order the
        fields are.
        """
        send_proxy = "ssh: bad value for send-proxy: '2' (v1 or v2 is needed)"
        limit = "ssh: bad value for max: 'x' (a whole number, 1 or more, is needed)"
        self.assertBad({"host": "h", "send-proxy": "2", "max": "x"}, send_proxy)
        self.assertBad({"host": "h", "max": "x", "send-proxy": "2"}, limit)

    def test_validator(self) -> None:
        """
        An error that concerns no single value has the words of the class.
        """

        @frozen
        class Pair:
            low: int = field(default=0, converter=int)
            high: int = field(default=9, converter=int)

            def __attrs_post_init__(self) -> None:
                if self.low > self.high:
                    raise ValueError("low is above high")

        spec = SpawnSpec("x", {"low": "5", "high": "1"})
        error = self.assertRaises(BadSpawnSpec, splitCommon, spec, Pair)
        self.assertEqual(str(error), "x: low is above high")

    def test_help(self) -> None:
        """
        Every common key says what it is for.
        """
        for each in optionKeys(Common).values():
            self.assertTrue(each.metadata["help"])
