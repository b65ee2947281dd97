"""
Tests that secrets in files that the configuration names stay there.
"""

from __future__ import annotations

import json
import signal

from brxy.test.support.pages import ROOT
from brxy.test.support.processes.programs import PYTHON, ProgramTests

_FILED, _INLINE = "correct-horse", "battery-staple"


class SecretTests(ProgramTests):
    """
    Tests of C{env-file}, C{env} and C{token-file}.
    """

    def _checkHidden(self, text: str) -> None:
        token = (self.folder / "token").read_text().strip()
        self.assertGreater(len(token), 20)
        for secret in (_FILED, _INLINE, token):
            self.assertNotIn(secret, text)

    async def _said(self, address: str) -> dict[str, str]:
        """
        @return: what the admin API answers, by the paths that can be read.
        """
        paths = json.loads((ROOT / "doc" / "openapi.json").read_text())["paths"]
        [ticket] = json.loads((await self.get(address, "/v1/instances")).body)["instances"]
        found = {}
        for path, methods in paths.items():
            if "get" in methods and path != "/":
                path = path.replace("{host}", "a.example").replace("{ticket}", ticket["ticket"])
                end = "?follow=false" if path.endswith(("events", "output")) else ""
                found[path] = (await self.get(address, path + end)).body
        return found

    async def test_hidden(self) -> None:
        """
        The app gets the variables.  They are in no line of the log, in no error, in no answer of
        the admin API, and not in what C{brxy check} prints; the file of the token is made for
        the user alone.
        """
        self.gate()
        secrets = self.folder / "shop.env"
        secrets.write_text(f"SHOP_PASSWORD={_FILED}\n")
        main = self.folder / "brxy.toml"
        main.write_text(
            '[edge]\nstate-dir = "state"\ntoken-file = "token"\n[[route."a.example".spawn]]\n'
            f'kind = "app"\ncommand = ["{PYTHON}", "gate.py"]\nenv-file = "shop.env"\n'
            f'env = {{ KEY = "{_INLINE}" }}\n'
        )
        edge = self.edge("--config", "brxy.toml")
        environ = json.loads((await self.get(await self.address(edge), "/env", "a.example")).body)
        self.assertEqual((environ["SHOP_PASSWORD"], environ["KEY"]), (_FILED, _INLINE))
        self.assertEqual((self.folder / "token").stat().st_mode & 0o777, 0o600)
        secrets.write_text(f"SHOP_PASSWORD={_FILED}\nanother {_FILED}\n")
        with main.open("a") as file:
            file.write(
                f'[[route."b.example".spawn]]\nkind = "app"\nenv = {{ "=" = "{_INLINE}" }}\n'
            )
        edge.signal(signal.SIGHUP)
        for fault in (
            r"brxy\.toml:7: bad env-file 'shop\.env': line 2 is neither NAME=VALUE nor NAME",
            r"brxy\.toml:11: bad env: '=' can't be a variable",
        ):
            await self.said(edge, fault)
        checked = self.start(PYTHON, "-m", "brxy.ctl", "check", "brxy.toml")
        self.assertEqual(await self.ended(checked), 1)
        self.assertIn("line 2 is neither", checked.err)
        self._checkHidden(checked.out + checked.err)
        for path, body in (await self._said(f"unix:{self.folder}/state/admin.sock")).items():
            self.assertNotEqual(body, "", path)
            self._checkHidden(body)
        await self.stopped(edge)
        self._checkHidden(edge.out + edge.err)
