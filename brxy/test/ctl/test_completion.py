"""
Tests of L{brxy.ctl.completion}, in the shells themselves.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.ctl.commands import COMMANDS
from brxy.test.ctl.test_main import ran

__all__ = ["BashTests", "FishTests", "ZshTests"]

#: A C{brxy} that knows two routes.
BRXY = """\
#!/bin/sh
[ "$*" = "routes --names" ] && printf 'shop.example.com\\nblog.example.com\\n'
"""

#: Prints what bash offers for the last of some words.
BASH = r"""
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_brxy
printf '%s\n' "${COMPREPLY[@]}"
"""

#: Lists in an interactive zsh what it offers for a line.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -fi
zpty -w shell "PS1=; autoload -Uz compinit; compinit -u -d $3; LISTMAX=10000"
zpty -w shell "source $1; bindkey '^T' list-choices; print STA''RT"
zpty -r shell seen '*START*2004h*'
zpty -n -w shell "$2"$'\x14\x15'
zpty -w shell "print E''ND"
zpty -r shell seen '*END*'
print -r -- "$seen"
"""


class _Shell(SynchronousTestCase):
    """
    Base of the tests of one shell.
    """

    name = ""

    def setUp(self) -> None:
        if shutil.which(self.name) is None:
            raise SkipTest(f"needs {self.name}: apt install {self.name}")
        scratch = TemporaryDirectory(prefix="brxy-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.script = self.folder / "script"
        self.script.write_text(ran("completion", self.name).out)
        brxy = self.folder / "brxy"
        brxy.write_text(BRXY)
        brxy.chmod(0o755)

    def output(self, *command: str) -> str:
        """
        Run the shell, in which C{brxy} is found.
        """
        done = subprocess.run(
            [self.name, *command],
            cwd=self.folder,
            env={"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": str(self.folder), "TERM": "dumb"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout


class BashTests(_Shell):
    """
    Tests of the script for bash.
    """

    name = "bash"

    def complete(self, *words: str) -> list[str]:
        """
        @return: what is offered for the last word.
        """
        said = self.output("-c", BASH, "bash", str(self.script), *words)
        return [each for each in said.splitlines() if each]

    def test_commands(self) -> None:
        """
        The first word is a command.
        """
        self.assertEqual(self.complete("brxy", "ver"), ["version"])
        names = [each.name for each in COMMANDS]
        self.assertEqual(self.complete("brxy", ""), [*names, "--help", "--version"])

    def test_options(self) -> None:
        """
        Words that begin with a dash are options of the command.
        """
        self.assertEqual(self.complete("brxy", "edge", "--tls-c"), ["--tls-certs"])
        self.assertEqual(self.complete("brxy", "node", "--edge-tls-ca"), ["--edge-tls-ca"])

    def test_values(self) -> None:
        """
        Values that are listed are offered; in place of others bash offers
        files.
        """
        self.assertEqual(self.complete("brxy", "edge", "--transport", "e"), ["epoll"])
        self.assertEqual(self.complete("brxy", "completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.complete("brxy", "edge", "--token-file", ""), [])


class FishTests(_Shell):
    """
    Tests of the script for fish.
    """

    name = "fish"

    def complete(self, line: str) -> list[str]:
        """
        @return: what is offered at the end of a line.
        """
        said = self.output("-c", f"source {self.script}; complete -C '{line}'")
        return [each.partition("\t")[0] for each in said.splitlines()]

    def test_commands(self) -> None:
        """
        The first word is a command.
        """
        self.assertEqual(self.complete("brxy ver"), ["version"])
        self.assertEqual(set(self.complete("brxy ")), {each.name for each in COMMANDS})

    def test_options(self) -> None:
        """
        Words that begin with a dash are options of the command.
        """
        self.assertEqual(self.complete("brxy edge --tls-c"), ["--tls-certs"])

    def test_values(self) -> None:
        """
        Values that are listed are offered.
        """
        self.assertEqual(self.complete("brxy edge --transport e"), ["epoll"])
        self.assertEqual(set(self.complete("brxy completion ")), {"bash", "zsh", "fish"})


class ZshTests(_Shell):
    """
    Tests of the script for zsh.
    """

    name = "zsh"

    def complete(self, line: str) -> str:
        """
        @return: what is offered at the end of a line, as it is shown.
        """
        dump = str(self.folder / "dump")
        return self.output("-fc", ZSH, "zsh", str(self.script), line, dump)

    def test_commands(self) -> None:
        """
        The first word is a command.
        """
        said = self.complete("brxy ")
        for each in COMMANDS:
            self.assertIn(f"{each.name} ", said)

    def test_options(self) -> None:
        """
        Words that begin with a dash are options of the command.
        """
        self.assertIn("--tls-certs", self.complete("brxy edge --tls-"))

    def test_values(self) -> None:
        """
        Values that are listed are offered.
        """
        self.assertIn("epoll", self.complete("brxy edge --transport "))
