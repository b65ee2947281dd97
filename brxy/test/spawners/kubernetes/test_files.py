"""
Tests of L{brxy.spawners.kubernetes.files}, beside C{kubectl}.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from unittest import SkipTest

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadSpawnSpec
from brxy.spawners.kubernetes.config import findAccess
from brxy.spawners.kubernetes.credentials import FileCredentials

_CONFIG = """\
apiVersion: v1
kind: Config
current-context: c
clusters:
- name: k
  cluster:
    server: https://k:6443
users:
- name: u
  user:
    token: t
contexts:
- name: c
  context:
    cluster: k
    user: u
"""

_CA = base64.b64encode(bytes(range(200))).decode()
_LINES = [_CA[start : start + 64] for start in range(0, len(_CA), 64)]
_BLOCK = "".join(f"\n      {line}" for line in _LINES)
_DATA = "    certificate-authority-data: "


def _withToken(token: str) -> str:
    return _CONFIG.replace("token: t", f"token: {token}")


def _withCluster(line: str) -> str:
    return _CONFIG.replace("users:\n", f"{line}\nusers:\n")


#: Contents of files in KUBECONFIG, with the token, and whether they have the authorities of
#: L{_CA}; or L{None} if kubectl refuses them.
_FILES: tuple[tuple[Sequence[str | bytes], tuple[str, bool] | None], ...] = (
    ([_CONFIG], ("t", False)),
    ([_withCluster(f"{_DATA}{_CA}")], ("t", True)),
    ([_withCluster(f"{_DATA}|{_BLOCK}")], ("t", True)),
    ([_withCluster(f"{_DATA}|-{_BLOCK}").replace("\n", "\r\n")], ("t", True)),
    ([_withCluster(f"{_DATA}>{_BLOCK}")], None),
    ([_withCluster(_DATA + _BLOCK)], None),
    ([_withCluster(_DATA + json.dumps("\r\n".join(_LINES) + "\n\n"))], ("t", True)),
    ([_withCluster(_DATA + json.dumps("\t".join(_LINES)))], None),
    ([_withCluster(f"{_DATA}\u00e4")], None),
    ([_withCluster(f"{_DATA}{list(range(200))}")], ("t", True)),
    ([_withCluster(f"{_DATA}{[0, 1.0, *range(2, 200)]}")], ("t", True)),
    ([_withCluster(f"{_DATA}{[None, *range(1, 200)]}".replace("None", "~"))], ("t", True)),
    ([_withCluster(f"{_DATA}[]")], ("t", False)),
    *(
        ([_withCluster(f"{_DATA}{wrong}")], None)
        for wrong in (
            "[256]",
            "[-1]",
            "[1.5]",
            '["1"]',
            "[true]",
            "[[]]",
            "[{}]",
            "[.inf]",
            "7",
            "{}",
        )
    ),
    ([_withCluster(f"{_DATA}~")], ("t", False)),
    *(
        (files, ("t", False))
        for empty in ("", "\n\n", "# a comment\n", "---\n", "null\n", "~", "{}", "\ufeff")
        for files in ([empty, _CONFIG], [_CONFIG, empty])
    ),
    ([_CONFIG, "users: null\nclusters: []\n"], ("t", False)),
    ([_CONFIG, _withToken("second")], ("t", False)),
    *(([_CONFIG, other], None) for other in ("[]", "a", "3", "clusters: 1\n", "users: [1]")),
    ([_CONFIG + "---\n" + _withToken("second")], ("t", False)),
    ([f"---\n{_CONFIG}---\n"], ("t", False)),
    ([_CONFIG + "...\n"], ("t", False)),
    ([_CONFIG.replace("- name: u\n", "- null\n- name: u\n")], ("t", False)),
    ([_CONFIG.replace("- name: u\n", "- user: {token: x}\n- name: u\n")], ("t", False)),
    (["\ufeff" + _CONFIG], ("t", False)),
    ([_CONFIG.replace("\n", "\r\n")], ("t", False)),
    ([_CONFIG.encode("utf-16")], ("t", False)),
    ([_withToken("2024-01-01")], ("2024-01-01", False)),
    ([_withToken("2024-01-01T10:00:00Z")], ("2024-01-01T10:00:00Z", False)),
    ([_withToken("1:30")], ("1:30", False)),
    ([_withToken("1:30.5")], ("1:30.5", False)),
    ([_withToken("=")], ("=", False)),
    ([_withToken("!own x")], ("x", False)),
    ([_withToken("!!str 12")], ("12", False)),
    *(([_withToken(token)], None) for token in ("12", "1.5", "yes", "off", "0x1f", "[t]", "{}")),
    ([_withToken("t\n    more: !own {a: [!own b]}")], ("t", False)),
    ([_withToken("first\n    token: t")], ("t", False)),
    ([_CONFIG.replace("apiVersion: v1\nkind: Config\n", "")], ("t", False)),
    (['{\n\t"users":\t[{"name": "u",\n\t"user": {"token": "j"}}]\n}\n', _CONFIG], ("j", False)),
)


class KubeconfigTests(SynchronousTestCase):
    """
    Tests of kubeconfigs that C{kubectl} takes, or refuses.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def written(self, contents: Sequence[str | bytes]) -> str:
        """
        Write the files.

        @return: a value of C{KUBECONFIG}.
        """
        paths = [self.folder / str(number) for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return ":".join(map(str, paths))

    def ours(self, kubeconfig: str) -> tuple[str, bool] | None:
        """
        @return: what brxy finds there.
        """
        try:
            access = findAccess(Clock(), {"KUBECONFIG": kubeconfig})
        except BadSpawnSpec:
            return None
        assert isinstance(access.credentials, FileCredentials)
        return access.credentials.given.token, access.ca == base64.b64decode(_CA)

    def theirs(self, kubeconfig: str) -> tuple[str, bool] | None:
        """
        @return: what C{kubectl} finds there.
        """
        done = subprocess.run(
            ["kubectl", "config", "view", "--raw", "--minify", "-o", "json"],
            env={"PATH": os.environ["PATH"], "KUBECONFIG": kubeconfig},
            capture_output=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            return None
        found = json.loads(done.stdout)
        [user], [cluster] = found["users"], found["clusters"]
        ca = cluster["cluster"].get("certificate-authority-data", "")
        return user["user"]["token"], ca == _CA

    def test_ours(self) -> None:
        """
        A kubeconfig means what it means to kubectl.
        """
        for contents, expected in _FILES:
            self.assertEqual(self.ours(self.written(contents)), expected, contents)

    def test_kubectl(self) -> None:
        """
        It does mean that to kubectl.
        """
        if shutil.which("kubectl") is None:
            raise SkipTest("needs kubectl: apt install kubernetes-client")
        for contents, expected in _FILES:
            self.assertEqual(self.theirs(self.written(contents)), expected, contents)
