"""
Tests that the file of the tutorial works, with a real edge and the command C{brxy}.
"""

from __future__ import annotations

import json
import re

from brxy.test.support.processes.docexamples import allBlocks
from brxy.test.support.processes.programs import DEMO, PYTHON, ProgramTests

__all__ = ["TutorialTests"]

_BRXY = (PYTHON, "-m", "brxy.ctl")

# These need not be installed; the third app of the file is run as it is.
_OTHERS = (
    '"flask", "--app", "hello", "run", "--port", "{port}"',
    '"gunicorn", "-w", "1", "--threads", "4", "-b", "127.0.0.1:{port}", "hello:app"',
)


class TutorialTests(ProgramTests):
    """
    Tests of the section about a file.
    """

    async def test_file(self) -> None:
        """
        The file is good, and each of its apps is served. After a reload only the app that was
        changed has another instance.
        """
        [text] = [
            each.text for each in allBlocks() if '[route."files.localhost".spawn]' in each.text
        ]
        text = re.sub(r",\n +", ", ", text)
        for command in _OTHERS:
            self.assertIn(command, text)
            text = text.replace(command, f'"{PYTHON}", "{DEMO}"')
        file = self.folder / "brxy.toml"
        file.write_text(text)
        checked = self.start(*_BRXY, "check", "brxy.toml")
        self.assertEqual((await self.ended(checked), checked.err), (0, ""))
        edge = self.edge("--config", "brxy.toml")
        url = await self.address(edge)
        for host, said in (
            ("shop.localhost", "Hello from process"),
            ("blog.localhost", "Hello from process"),
            ("files.localhost", "brxy.toml"),
        ):
            self.assertIn(said, (await self.get(url, host=host)).body)
        self.assertEqual(
            [line.split()[:2] for line in await self._asked("routes")],
            [
                ["ROUTE", "STATE"],
                ["blog.localhost", "ready"],
                ["files.localhost", "ready"],
                ["shop.localhost", "ready"],
            ],
        )
        before = await self._tickets()
        file.write_text(text.replace(f'"{DEMO}"', f'"{DEMO}", "-d", "0"', 1))
        self.assertEqual(
            await self._asked("reload"), ["the files were read again", "replaced: shop_localhost"]
        )
        await self.get(url, host="shop.localhost")
        after = await self._tickets()
        self.assertNotEqual(before.pop("shop.localhost"), after.pop("shop.localhost"))
        self.assertEqual(before, after)

    async def _asked(self, *command: str) -> list[str]:
        """
        @return: the lines that C{brxy} prints.
        """
        asking = self.start(*_BRXY, *command, "--socket", "state")
        self.assertEqual((await self.ended(asking), asking.err), (0, ""))
        return asking.out.splitlines()

    async def _tickets(self) -> dict[str, str]:
        """
        @return: the instance of each route.
        """
        found = json.loads("".join(await self._asked("instances", "--state", "ready", "--json")))
        return {each["route"]: each["ticket"] for each in found}
