"""
Tests of what is wrong with the structure of configuration files.
"""

from __future__ import annotations

from brxy.edge.config.files.loading import checkFile
from brxy.test.edge.config.files.folders import FileTests

_SPAWN = 'kind = "app"\ncommand = ["x"]\n'


def route(host: str) -> str:
    """
    A route with a spawn.
    """
    return f'[route."{host}"]\n[[route."{host}".spawn]]\n{_SPAWN}'


def spawn(name: str) -> str:
    """
    A spawn of a route.
    """
    return f'[[route."{name}".spawn]]\n{_SPAWN}'


class StructureTests(FileTests):
    """
    Tests of tables, routes and spawns.
    """

    def check(self, text: str, *expected: str) -> None:
        found = self.faults(text)
        self.assertEqual(len(found), len(expected), found)
        for said, start in zip(found, expected, strict=True):
            self.assertEqual(said[: len(start)], start)

    def test_right(self) -> None:
        """
        A file without faults, and one that is empty.
        """
        self.check("")
        self.check(route("a") + route("*.b") + route("*") + route("[::1]"))

    def test_notToml(self) -> None:
        """
        What is not TOML or UTF-8, or is not there, is reported as the rest is.
        """
        self.check("[edge]\nport = \n", "2: invalid value")
        self.check(route("a") + route("a"), "5: cannot declare ('route', 'a') twice")
        path = self.folder / "latin"
        path.write_bytes(b"a = 1\nb = '\xe4'\n")
        self.assertEqual(checkFile(str(path)), [f"{path}:2: the file is not UTF-8"])
        missing = self.folder / "none.toml"
        self.assertEqual(checkFile(str(missing)), [f"{missing}:1: No such file or directory"])

    def test_tables(self) -> None:
        """
        A table that is not known names the nearest one, a key outside of a table its table.
        """
        self.check(
            'port = "80"\nidle-timeout = 3\nfoo = 1\n[edgy]\n',
            "1: port is outside of a table; it belongs in [edge]",
            "2: idle-timeout is outside of a table; it belongs in [defaults]",
            "3: foo is outside of a table",
            "4: [edgy] is not known; did you mean edge?",
        )
        self.check(
            "edge = 1\ndefaults = []\nroute = 2\n",
            "1: edge needs to be a table",
            "2: defaults needs to be a table",
            '3: route needs to be a table: [route."HOST"]',
        )

    def test_otherTable(self) -> None:
        """
        A key in the wrong table names the right one.
        """
        self.check(
            '[edge]\ncapacity = 1\nmax-instances = 2\nspawn = ["app: -- x"]\nconfig = "x"\n'
            "[defaults]\nmax-instances = 2\nmax-total = 1\n",
            "2: capacity is not known; capacity belongs in [defaults] or in a route",
            "3: max-instances is not known; max belongs in [defaults] or in a route",
            '4: spawn is not known; a spawn is [[route."HOST".spawn]]',
            "5: config is not known",
            "7: max-instances is not known; did you mean max?",
            "8: max-total is not known; max-total belongs in [edge]",
        )

    def test_routes(self) -> None:
        """
        A route needs a host that can be one, and a spawn.
        """
        self.check(
            '[route.a]\n[route."b c"]\nspawn = 1\n[route.c]\nspawn = [1]\nhost = "x"\n'
            "[route.d]\nspawn = []\n[route]\ne = 5\n",
            "1: the route a has no spawn",
            "2: bad host 'b c': a host name, or one with *. before it, is needed, or * for all",
            "3: spawn needs to be an array of tables",
            "5: 0 needs to be a table",
            "7: the route d has no spawn",
            '10: e is no table: a route is [route."HOST"]',
        )

    def test_hosts(self) -> None:
        """
        Several hosts may have one route, whose name is the first.
        """
        spawn = "[[route.spawn]]\n" + _SPAWN
        self.check(f'[[route]]\nhost = ["a", "b", "*.c"]\n{spawn}')
        self.check(
            f'[[route]]\n{spawn}[[route]]\nhost = ["*.a", "b"]\n{spawn}'
            f'[[route]]\nhost = [1, "d",\n "e f"]\n{spawn}',
            "1: host is needed: an array",
            "6: the first of several hosts is the route; it can't be a pattern",
            "11: bad host 1: a text in quotes is needed",
            "12: bad host 'e f'",
        )

    def test_named(self) -> None:
        """
        A route with C{host} has a name of its own.
        """
        self.check(
            '[route.api]\nhost = "*.a"\npaths = ["/api", "/v1"]\nstrip-prefix = true\n'
            + spawn("api")
            + '[route.web]\nhost = ["a", "*"]\n'
            + spawn("web")
        )
        self.check(
            f'[route.localhost]\nhost = "b"\n{spawn("localhost")}'
            f'[route."x y"]\nhost = "c"\n{spawn("x y")}'
            f'[route.d]\nhost = []\n{spawn("d")}[route.e]\nhost = "d e"\n{spawn("e")}',
            "1: bad name 'localhost': a route with host has a name such as shop-api",
            "6: bad name 'x y'",
            "12: host is needed",
            "17: bad host 'd e'",
        )

    def test_paths(self) -> None:
        """
        A route with paths has one name.  A path of a host has one route.
        """
        self.check(
            f'[route."*.a"]\npaths = ["/x"]\n{spawn("*.a")}[route.b]\nstrip-prefix = true\n'
            f"{spawn('b')}[route.c]\npaths = []\n{spawn('c')}"
            f'[route.d]\npaths = ["/d",\n"/d/"]\n{spawn("d")}',
            '2: a route with paths has one name: [route.NAME] with host = "*.a"',
            "7: strip-prefix needs paths",
            "12: paths is empty: leave it out for all paths",
            "18: bad paths '/d/': a path such as /api is needed",
        )
        [fault] = self.faults(
            f'[route.a]\npaths = ["/x"]\n{spawn("a")}'
            f'[route.b]\nhost = ["a"]\npaths = ["/y", "/x"]\n{spawn("b")}'
        )
        self.assertIn("6: a/x has a route already, at ", fault)
        [fault] = self.faults(
            f'[route.a]\npaths = ["/x"]\n{spawn("a")}[route.b]\nhost = "a"\n{spawn("b")}'
        )
        self.assertIn("6: a has a route already, at ", fault)
        self.assertIn("a route with paths needs a name of its own: [route.NAME]", fault)

    def test_doubleHost(self) -> None:
        """
        A host has one route.
        """
        spawn = "[[route.spawn]]\n" + _SPAWN
        [fault] = self.faults(f'[[route]]\nhost = ["a", "b"]\n{spawn}[[route]]\nhost="b"\n{spawn}')
        path = self.folder / "brxy.toml"
        self.assertEqual(fault, f"6: b has a route already, at {path}:1")

    def test_spawns(self) -> None:
        """
        A spawn needs a kind that there is, and what the kind needs.
        """
        head = "[[route.a.spawn]]\n"
        self.check(
            f'{head}{head}kind = 1\n{head}kind = "dokcer"\n{head}kind = "docker"\n'
            f'{head}kind = "app"\n{head}kind = "ssh"\nhost = "x"\n'
            f'{head}kind = "app"\ncommand = "a \'b c\'"\n'
            f'{head}kind = "app"\ncommand = ["a", true]\n'
            f'{head}kind = "app"\ncommand = 3\n{head}kind = "kubernetes"\n',
            "1: kind is needed, as a text: app, docker, kubernetes, process, ssh, swarm",
            "3: kind is needed",
            "5: there is no spawner 'dokcer' (known: app, docker",
            "6: docker needs image: the image, as docker run takes it",
            '8: app needs command, an array such as ["python", "app.py"]',
            '10: ssh needs command, an array such as ["python", "app.py"]',
            '15: command needs to be an array: ["a", "b c"]',
            "18: command has something else than texts and numbers",
            "21: command needs to be an array of texts",
        )
        [fault] = self.faults(f'{head}kind = "dokcer"\n')
        self.assertTrue(fault.endswith("; did you mean docker?"), fault)

    def test_together(self) -> None:
        """
        Keys that don't go together have the line of their spawn or setting.
        """
        head = "[[route.a.spawn]]\n"
        self.check(
            f'{head}kind = "kubernetes"\nimage = "a"\nport = 80\nedge = "tcp:x:1"\n',
            "1: kubernetes: edge= is for nodes",
        )
        self.check('[edge]\ntls-port = "443"\n', "2: for clients over TLS give tls-certs, too")
        self.check(
            f"[edge]\n\nroute = ['b']\n{route('a')}", "3: route: no spawn serves the route b"
        )
        self.check('[edge]\nnode-tls-ca = "x"\n', "2: for TLS on the node port give node-tls-cert")

    def test_names(self) -> None:
        """
        Two spawns can't have one name.
        """
        self.check(
            f'{route("a")}name = "x"\n{route("b")}name = "x"\n', "7: two --spawn are named x"
        )

    def test_secrets(self) -> None:
        """
        No value of an environment is repeated.
        """
        text = '[[route.a.spawn]]\nkind = "app"\ncommand = ["x"]\n'
        for env in ('{ "A B" = "secret" }', '{ A = ["secret"] }', '"A B=secret"', '["secret"]'):
            [fault] = self.faults(f"{text}env = {env}\n")
            self.assertNotIn("secret", fault)
            self.assertEqual(fault[:8], "4: bad e")

    def test_tcp(self) -> None:
        """
        TCP clients need a route with a name.
        """
        spawn = _SPAWN
        self.check(
            f'[route.a]\ntcp = ["80a", "6379"]\n[[route.a.spawn]]\n{spawn}'
            f'[route."*.b"]\ntcp = "6380"\n[[route."*.b".spawn]]\n{spawn}',
            "2: bad tcp '80a': it is not a server endpoint",
            "7: tcp needs a route with one name, no pattern",
        )


class IncludeTests(FileTests):
    """
    Tests of files that are included.
    """

    def test_faults(self) -> None:
        """
        What is wrong in all files is reported at once, file by file.
        """
        main = self.write('[edge]\ninclude = ["apps/*.toml", "x.toml", ""]\nprot = 1\n')
        self.write(f"{route('a')}capasity = 3\n", "apps/b.toml")
        self.write(route("a") + "[defaults]\nmax = 1\n", "apps/a.toml")
        self.write("x = \n", "apps/c.toml")
        self.write("not TOML", "apps/other.txt")
        self.assertEqual(
            [each.replace(f"{self.folder}/", "") for each in checkFile(main)],
            [
                "brxy.toml:2: bad include '': the path of a file or a pattern such as apps/*.toml"
                " is needed",
                "brxy.toml:3: prot is not known; did you mean port?",
            ],
        )
        main = self.write('[edge]\ninclude = ["apps/*.toml", "x.toml"]\n')
        self.assertEqual(
            [each.replace(f"{self.folder}/", "") for each in checkFile(main)],
            [
                "brxy.toml:2: there is no file x.toml",
                "apps/a.toml:1: a has another route at apps/b.toml:1",
                "apps/a.toml:5: only the file that includes this one can have [defaults]",
                "apps/b.toml:1: a has a route already, at apps/a.toml:1",
                "apps/b.toml:5: capasity is not known; did you mean capacity?",
                "apps/c.toml:1: invalid value",
            ],
        )

    def test_twice(self) -> None:
        """
        A file that several patterns match is read once, and none includes itself.
        """
        main = self.write('[edge]\ninclude = ["*.toml", "a.toml", "no/*.toml"]\n')
        self.write(route("a"), "a.toml")
        self.assertEqual(checkFile(main), [])
