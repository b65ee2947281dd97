"""
Tests of where changes of configuration files show.
"""

from __future__ import annotations

from brxy.edge.config.files.reader import readConfiguration
from brxy.test.edge.config.files.folders import FileTests


class PlacesTests(FileTests):
    """
    Tests of L{brxy.edge.config.files.places.placesOf}.
    """

    def places(self, *include: str) -> dict[str, set[str]]:
        """
        @return: the places of a file that includes others, from its folder.
        """
        path = self.write(f"[edge]\ninclude = {list(include)}\n")
        found = readConfiguration(path).places
        return {
            folder.removeprefix(f"{self.folder}").removeprefix("/") or ".": set(names) - {"..data"}
            for folder, names in found.items()
        }

    def test_pattern(self) -> None:
        """
        The folders of the file and of what it includes.
        """
        self.write("", "apps/a.toml")
        self.assertEqual(
            self.places("apps/*.toml", "b.toml"),
            {".": {"brxy.toml", "b.toml"}, "apps": {"*.toml"}},
        )

    def test_volume(self) -> None:
        """
        In each of them also the link that Kubernetes replaces.
        """
        path = self.write("")
        self.assertEqual(
            readConfiguration(path).places, {str(self.folder): {"brxy.toml", "..data"}}
        )

    def test_folders(self) -> None:
        """
        Folders that a pattern matches may come and go, and so may one that is missing.
        """
        (self.folder / "apps" / "shop").mkdir(parents=True)
        self.assertEqual(
            self.places("apps/*/brxy.toml", "more/*.toml"),
            {".": {"brxy.toml", "more"}, "apps": {"*"}, "apps/shop": {"brxy.toml"}},
        )

    def test_links(self) -> None:
        """
        A folder that is a link may be replaced, and a file that is one changes elsewhere.
        """
        self.write("", "releases/1.toml")
        self.write("", "available/a.toml")
        (self.folder / "current").symlink_to("releases")
        (self.folder / "enabled").mkdir()
        (self.folder / "enabled" / "a.toml").symlink_to("../available/a.toml")
        found = self.places("current/*.toml", "enabled/*.toml")
        available = str((self.folder / "available").resolve())
        self.assertEqual(found.pop(available.removeprefix("/")), {"a.toml"})
        self.assertEqual(
            found,
            {".": {"brxy.toml", "current"}, "current": {"*.toml"}, "enabled": {"*.toml"}},
        )

    def test_unreadable(self) -> None:
        """
        A file that is missing is looked for in its folder.
        """
        path = str(self.folder / "brxy.toml")
        self.assertEqual(list(readConfiguration(path).places), [str(self.folder)])
