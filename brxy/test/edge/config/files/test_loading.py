"""
Tests of the settings that configuration files make.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from brxy.edge.config.files.loading import Loaded, loadFiles, reloadFiles
from brxy.edge.config.files.reader import readConfiguration
from brxy.edge.config.making.building import SpawnMaker
from brxy.edge.config.options import Options
from brxy.edge.config.settings import EdgeSettings, Spawn
from brxy.reactor.slices import atOnce
from brxy.test.edge.config.files.folders import FileTests

_SPAWN = 'kind = "app"\ncommand = ["x", 1]\n'


def route(host: str, more: str = "", spawn: str = "") -> str:
    """
    A route with a spawn.
    """
    return f'[route."{host}"]\n{more}\n[[route."{host}".spawn]]\n{_SPAWN}{spawn}\n'


class LoadingTests(FileTests):
    """
    Tests of L{loadFiles} and L{reloadFiles}.
    """

    def load(self, *arguments: str) -> Loaded:
        """
        Load with a command line.
        """
        self.options = Options({})
        self.options.parseOptions(list(arguments))
        return loadFiles(self.options.given, self.options.configuration, Clock())

    def settings(self, text: str, *arguments: str) -> EdgeSettings:
        """
        The settings of a file.
        """
        loaded = self.load("--config", self.write(text), *arguments)
        self.assertEqual(loaded.faults, [])
        assert loaded.settings is not None
        return loaded.settings

    def again(self, previous: Loaded) -> Loaded:
        """
        Load again.
        """
        new = readConfiguration(previous.configuration.file)
        return atOnce(reloadFiles(self.options.given, previous, new, Clock()))

    def rules(self, loaded: Loaded) -> dict[str, Any]:
        """
        The capacities by the names of spawns.
        """
        assert loaded.settings is not None
        return {each.rule.name: each.rule.capacity for each in loaded.settings.spawns}

    def spawn(self, loaded: Loaded, name: str) -> Spawn:
        """
        The spawn of a name.
        """
        assert loaded.settings is not None
        [found] = [each for each in loaded.settings.spawns if each.rule.name == name]
        return found

    def test_sameAsOptions(self) -> None:
        """
        A file makes the same settings as a command line.
        """
        text = (
            '[edge]\nport = ["80", "unix:/x"]\nmax-total = 7\nhold-timeout = "2m"\n'
            "max-body = '64K'\nretries = 0\ndefault-route-for-all = true\nhsts = 3600\n"
            'proxy-trust = "10.0.0.0/8"\nnode-allow = ["a=*.b"]\nnode-port = 9090\n'
            'tcp = ["r=tls:5"]\ntls-certs = "/certs"\n'
            '[defaults]\nmax = 3\ncapacity = "auto"\nidle-timeout = 1.5\n'
            + route("a", 'max-capacity = 5\nsend-proxy = "v2"', 'old-idle-timeout = "1m"\nmax = 2')
            + route("*.b", "capacity = 4", "name = 'bb'")
        )
        options = (
            *("--port", "80", "--port", "unix:/x", "--max-total", "7", "--hold-timeout", "2m"),
            *("--max-body", "64K", "--retries", "0", "--default-route-for-all", "--hsts", "3600"),
            *("--proxy-trust", "10.0.0.0/8", "--node-allow", "a=*.b", "--node-port", "9090"),
            *("--tcp", "r=tls:5", "--tls-certs", "/certs"),
            *("--max-instances", "3", "--capacity", "auto", "--idle-timeout", "1.5"),
            "--spawn",
            "app: name=a route=a max-capacity=5 send-proxy=v2 old-idle-timeout=1m max=2 -- x 1",
            *("--spawn", "app: name=bb route=*.b capacity=4 -- x 1"),
        )
        found, expected = self.settings(text), self.load(*options).settings
        assert expected is not None
        for name in ("rule", "spec"):
            self.assertEqual(
                [getattr(each, name) for each in found.spawns],
                [getattr(each, name) for each in expected.spawns],
            )
        for mine, theirs in zip(found.spawns, expected.spawns, strict=True):
            for name in ("idle_timeout", "old_idle_timeout", "send_proxy", "speaks_first"):
                self.assertEqual(getattr(mine.spawning, name), getattr(theirs.spawning, name))
        others = {"spawns", "proxy_trust", "forwarded_trust"}
        for name in {each for each in dir(expected) if not each.startswith("_")} - others:
            self.assertEqual(getattr(found, name), getattr(expected, name), name)

    def test_commandLineWins(self) -> None:
        """
        What the command line gives wins over the file, a list as a whole; its spawns come before
        those of the file.
        """
        text = '[edge]\nport = ["80", "81"]\nretries = 3\n[defaults]\nmax = 3\ncapacity = 2\n'
        found = self.settings(
            text + route("a") + route("b", "capacity = 9"),
            *("--port", "82", "--retries", "0", "-c", "5", "--spawn", "app: route=c -- y"),
        )
        self.assertEqual((found.ports, found.retries), (["tcp:82"], 0))
        self.assertEqual(
            [
                (each.rule.name, each.rule.capacity, each.rule.max_instances)
                for each in found.spawns
            ],
            [("app", 5, 3), ("a", 5, 3), ("b", 9, 3)],
        )

    def test_commandLineWinsAgain(self) -> None:
        """
        It does so after a reload, too: of what the file has changed only the rest takes effect.
        """
        text = "[edge]\nretries = 3\nmax-held = 9\n[defaults]\ncapacity = 2\nmax = 3\n"
        loaded = self.load(
            *("--config", self.write(text + route("a")), "--retries", "0"),
            *("-c", "5", "--spawn", "app: route=c -- y"),
        )
        self.write(text.replace("9", "8").replace("3", "4").replace("2", "6") + route("a"))
        after = self.again(loaded).settings
        assert after is not None
        self.assertEqual((after.retries, after.limits.max_held), (0, 8))
        self.assertEqual(
            [
                (each.rule.name, each.rule.capacity, each.rule.max_instances)
                for each in after.spawns
            ],
            [("app", 5, 4), ("a", 5, 4)],
        )

    def test_defaultPort(self) -> None:
        """
        Clients have the default port unless the file has one.
        """
        self.assertEqual(self.settings(route("a")).ports, ["tcp:8080"])
        found = self.settings(route("a", 'tcp = ["6379"]'))
        self.assertEqual((found.ports, found.frontends), ([], [("a", "tcp:6379")]))

    def test_hosts(self) -> None:
        """
        Further hosts of a route lead to it; C{*} is each host.
        """
        found = self.settings(
            f'[[route]]\nhost = ["A", "b.", "*.c"]\n[[route.spawn]]\n{_SPAWN}'
            f'[[route]]\nhost = "*"\n[[route.spawn]]\n{_SPAWN}'
        )
        self.assertEqual(found.aliases, {"b": "a", "*.c": "a"})
        self.assertEqual([each.rule.pattern for each in found.spawns], ["a", None])

    def test_values(self) -> None:
        """
        Arrays and tables keep what commas would divide.
        """
        more = 'env = { A = "x,y=z", B = 1 }\nready-command = ["a b", "c"]\n'
        [spawn] = self.settings(route("a", "", more)).spawns
        assert spawn.spec is not None
        self.assertEqual(spawn.spec.command, ("x", "1"))
        self.assertEqual(spawn.spec.options["env"], {"A": "x,y=z", "B": "1"})
        self.assertEqual(spawn.spec.options["ready-command"], ("a b", "c"))

    def test_names(self) -> None:
        """
        A spawn has a name by its route, whatever other routes there are.
        """
        long = "a-long-name.of.a.shop.example.com"
        text = route("shop.example.com") + route("*.b") + route("*") + route(long)
        more = f'[[route."shop.example.com".spawn]]\n{_SPAWN}'
        names = [each.rule.name for each in self.settings(text + more).spawns]
        expected = ["shop_example_com", "shop_example_com-2", "any_b", "all"]
        self.assertEqual(names[:4], expected)
        self.assertEqual((len(names[4]), names[4][:21]), (30, long[:21].replace(".", "_")))
        self.assertEqual([each.rule.name for each in self.settings(route(long)).spawns], names[4:])

    def test_reload(self) -> None:
        """
        A file that becomes bad stays as it was, and the others change.
        """
        main = self.write('[edge]\ninclude = "apps/*.toml"\n' + route("m", "capacity = 1"))
        for name in "abc":
            self.write(route(name, "capacity = 1"), f"apps/{name}.toml")
        first = self.load("--config", main)
        self.assertEqual(self.rules(first), dict.fromkeys("mabc", 1))
        self.write(route("a", "capacity = 2"), "apps/a.toml")
        self.write(route("b", "capasity = 2"), "apps/b.toml")
        Path(self.folder, "apps/c.toml").unlink()
        self.write(route("d", "capacity = 2"), "apps/d.toml")
        second = self.again(first)
        self.assertEqual(self.rules(second), {"m": 1, "a": 2, "b": 1, "d": 2})
        bad = f"{self.folder}/apps/b.toml"
        self.assertEqual(
            second.faults, [f"{bad}:2: capasity is not known; did you mean capacity?"]
        )
        self.assertEqual(second.configuration.faulty(), {bad})
        self.assertIs(self.spawn(second, "b"), self.spawn(first, "b"))
        self.assertIs(self.spawn(second, "m"), self.spawn(first, "m"))
        # It is right again, and then gone.
        self.write(route("b", "capacity = 3"), "apps/b.toml")
        third = self.again(second)
        self.assertEqual((self.rules(third)["b"], third.faults), (3, []))

    def test_reloadContent(self) -> None:
        """
        A spawn differs from before if the content of its C{env-file} does, which is not shown.
        """
        path = Path(self.write("A=secret", "a.env"))
        text = f"env-file = '{path}'"
        first = self.load("--config", self.write(route("a", "", text)))
        self.assertEqual(self.spawn(self.again(first), "a").spec, self.spawn(first, "a").spec)
        path.write_text("A=other")
        self.assertNotEqual(self.spawn(self.again(first), "a").spec, self.spawn(first, "a").spec)
        self.assertNotIn("secret", repr(self.spawn(first, "a").spec))

    def test_reloadBadMain(self) -> None:
        """
        If the file itself is bad, its settings and routes stay, and included files that are
        known change.
        """
        text = '[edge]\nretries = 1\ninclude = "apps/*.toml"\n'
        main = self.write(text + route("m", "capacity = 1"))
        self.write(route("a", "capacity = 1"), "apps/a.toml")
        first = self.load("--config", main)
        for broken in (text + "[", text.replace("1", "'x'") + route("m", "capacity = 2")):
            self.write(broken)
            second = self.again(first)
            self.assertEqual(self.rules(second), {"m": 1, "a": 1})
            assert second.settings is not None
            self.assertEqual((len(second.faults), second.settings.retries), (1, 1))
        self.write(text.replace("1", "'x'"))
        self.write(route("a", "capacity = 2"), "apps/a.toml")
        self.assertEqual(self.rules(self.again(first)), {"m": 1, "a": 2})

    def test_reloadMoved(self) -> None:
        """
        A host can't move from a file that is bad now: both files stay as they were.
        """
        main = self.write('[edge]\ninclude = "apps/*.toml"\n')
        self.write(route("a", "capacity = 1"), "apps/a.toml")
        self.write(route("b", "capacity = 1"), "apps/b.toml")
        first = self.load("--config", main)
        self.write("[", "apps/a.toml")
        self.write(route("a", "capacity = 2") + route("b", "capacity = 2"), "apps/b.toml")
        second = self.again(first)
        self.assertEqual(self.rules(second), {"a": 1, "b": 1})
        self.assertEqual(len(second.faults), 2)

    def test_reloadTogether(self) -> None:
        """
        What shows only when spawns are made leaves its file as it was, too.
        """
        main = self.write('[edge]\ninclude = "apps/*.toml"\n')
        self.write(route("a", "capacity = 1"), "apps/a.toml")
        self.write(route("b", "capacity = 1", "cwd = '/'"), "apps/b.toml")
        first = self.load("--config", main)
        self.write(route("a", "capacity = 2", "name = 'b'"), "apps/a.toml")
        second = self.again(first)
        self.assertEqual(self.rules(second), {"a": 1, "b": 1})
        self.assertEqual(len(second.faults), 1)
        self.assertIn("/b.toml:3: two --spawn are named b", second.faults[0])
        self.write(route("a", "capacity = 2"), "apps/a.toml")
        self.write('[edge]\ninclude = "apps/*.toml"\ntls-port = "1"\n')
        third = self.again(second)
        self.assertEqual(self.rules(third), {"a": 2, "b": 1})
        self.assertIn(":3: for clients over TLS", third.faults[0])

    def test_steps(self) -> None:
        """
        A reload makes one spawn in a step, and keeps those that have not changed.
        """
        hosts = [f"{number}.example" for number in range(20)]
        previous = self.load("--config", self.write("".join(map(route, hosts))))
        made: list[str] = []
        make = SpawnMaker.make

        def noted(maker: SpawnMaker, given: Any) -> Spawn:
            made.append(given.options["name"])
            return make(maker, given)

        self.patch(SpawnMaker, "make", noted)
        changed = [*map(route, hosts[:15]), *(route(host, "max = 3") for host in hosts[15:])]
        defaults = "[defaults]\ncapacity = 2\n"
        for text, expected in (("".join(changed), 5), ("".join([defaults, *changed]), 20)):
            self.write(text)
            work = reloadFiles(
                self.options.given,
                previous,
                readConfiguration(previous.configuration.file),
                Clock(),
            )
            before = len(made)
            for _ in work:
                self.assertLessEqual(len(made), before + 1)
                before = len(made)
            self.assertEqual(len(made), expected)
            made.clear()
