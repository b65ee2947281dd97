"""
Tests of finding a cluster, and of the credentials to use there.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from brxy.errors import BadSpawnSpec
from brxy.spawners.api.errors import DaemonError
from brxy.spawners.kubernetes.api import KubeAPI
from brxy.spawners.kubernetes.config import findAccess
from brxy.spawners.kubernetes.credentials import API_VERSIONS, ExecCredentials
from brxy.spawners.kubernetes.spawner import KubernetesFactory, PodOptions
from brxy.test.support.kubernetes.cluster import TOKEN
from brxy.test.support.kubernetes.tests import ClusterTests

__all__ = ["AccessTests", "BadTests", "OptionTests", "ProgramTests"]

# Counts how often it runs, and prints what stands in a file.
_PLUGIN = """\
#!{python}
import os
with open("{folder}/runs", "a") as file:
    file.write(os.environ["KUBERNETES_EXEC_INFO"] + os.environ.get("EXTRA", "") + "\\n")
print(open("{folder}/answer").read())
"""


class _Tests(ClusterTests):
    """
    Base of tests that make requests to the cluster.
    """

    async def works(self, environ: dict[str, str] | None = None, **options: str) -> str:
        """
        Make a request.

        @return: the namespace that is ours.
        """
        environ = environ or {"KUBECONFIG": self.kubeconfig}
        access = findAccess(self.reactor, environ, mounted=self.folder, **options)
        answer = await KubeAPI(self.reactor, access, 20.0).request("GET", "/version")
        self.assertEqual(answer["major"], "1")
        return access.namespace

    def write(self, name: str, content: str | bytes) -> str:
        """
        Write a file.
        """
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def user(self, **user: Any) -> None:
        """
        Have a kubeconfig with this user.
        """
        self.cluster.writeConfig(
            Path(self.kubeconfig), {k.replace("_", "-"): v for k, v in user.items()}
        )


class AccessTests(_Tests):
    """
    Tests of ways that work.
    """

    async def test_files(self) -> None:
        """
        Certificates and tokens may stand in files, named from where the
        kubeconfig is, and are read for every request.
        """
        issued = self.cluster.authority.issue("me")
        self.write("me.crt", issued.certificate)
        self.write("me.key", issued.key)
        self.user(client_certificate="me.crt", client_key="me.key")
        await self.works()
        self.write("token", "an old one\n")
        self.user(tokenFile="token")
        access = findAccess(self.reactor, {"KUBECONFIG": self.kubeconfig})
        api = KubeAPI(self.reactor, access, 20.0)
        error = await self.assertFailure(_deferred(api.request("GET", "/version")), DaemonError)
        self.assertEqual(str(error), "401 Unauthorized: Unauthorized")
        self.write("token", f"{TOKEN}\n")
        await api.request("GET", "/version")

    async def test_data(self) -> None:
        """
        Certificates may stand in the kubeconfig itself.
        """
        issued = self.cluster.authority.issue("me")
        self.user(
            client_certificate_data=base64.b64encode(issued.certificate).decode(),
            client_key_data=base64.b64encode(issued.key).decode(),
        )
        await self.works()

    async def test_unverified(self) -> None:
        """
        A server need not be verified, or may have another name.
        """
        path = Path(self.kubeconfig)
        config = {"certificate-authority-data": "", "insecure-skip-tls-verify": True}
        self.cluster.writeConfig(path, None, **config)
        await self.works()
        self.cluster.writeConfig(path, None, **{"tls-server-name": "localhost"})
        await self.works()
        self.cluster.writeConfig(path, None, **{"tls-server-name": "other.example"})
        error = await self.assertFailure(_deferred(self.works()), DaemonError)
        self.assertIn("can't be reached", str(error))

    async def test_merged(self) -> None:
        """
        Of several files the first that names something counts; a context may
        be chosen, and says in which namespace we are.
        """
        context = {"cluster": "here", "user": "me", "namespace": "apps"}
        first = {"contexts": [{"name": "mine", "context": context}]}
        files = f"{self.write('first', json.dumps(first))}:{self.folder}/none:{self.kubeconfig}"
        self.assertEqual(await self.works({"KUBECONFIG": files}), "")
        self.assertEqual(await self.works({"KUBECONFIG": files}, context="mine"), "apps")

    async def test_home(self) -> None:
        """
        Without a word it is the one of this user.
        """
        (self.folder / ".kube").mkdir()
        Path(self.kubeconfig).rename(self.folder / ".kube" / "config")
        await self.works({"HOME": str(self.folder), "KUBERNETES_SERVICE_HOST": "192.0.2.1"})

    async def test_inCluster(self) -> None:
        """
        In a Pod it is the one that the Pod runs in.
        """
        self.write("ca.crt", self.cluster.authority.issued.certificate)
        self.write("namespace", "apps")
        self.write("token", TOKEN)
        host, port = self.cluster.url.removeprefix("https://").split(":")
        environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        self.assertEqual(await self.works(environ), "apps")


class ProgramTests(_Tests):
    """
    Tests of programs that hand out credentials.
    """

    def setUp(self) -> None:
        super().setUp()
        script = _PLUGIN.format(python=sys.executable, folder=self.folder)
        Path(self.write("plugin", script)).chmod(0o755)

    def program(self, status: Any, **more: Any) -> None:
        """
        Have one that prints this status.
        """
        version = "client.authentication.k8s.io/v1"
        answer = {"apiVersion": version, "kind": "ExecCredential", "status": status}
        self.write("answer", json.dumps(answer))
        self.user(exec={"apiVersion": version, "command": "./plugin", **more})

    async def failure(self) -> str:
        """
        @return: why there are no credentials.
        """
        return str(await self.assertFailure(_deferred(self.works()), DaemonError))

    async def test_kept(self) -> None:
        """
        What it hands out is kept until its time is over, or it is refused.
        """
        self.program({"token": TOKEN}, env=[{"name": "EXTRA", "value": "more"}])
        access = findAccess(self.reactor, {"KUBECONFIG": self.kubeconfig})
        api = KubeAPI(self.reactor, access, 20.0)
        for _ in range(3):
            await api.request("GET", "/version")
        (run,) = (self.folder / "runs").read_text().splitlines()
        self.assertTrue(run.endswith("more"))
        self.assertEqual(json.loads(run[:-4])["spec"], {"interactive": False})
        self.cluster.tokens = {"another"}
        self.program({"token": "another", "expirationTimestamp": "2000-01-01T00:00:00Z"})
        for _ in range(2):
            await api.request("GET", "/version")
        self.assertEqual(len((self.folder / "runs").read_text().splitlines()), 3)

    async def test_certificate(self) -> None:
        """
        It may hand out a certificate, and get a description of the cluster.
        """
        issued = self.cluster.authority.issue("me")
        status = {
            "clientCertificateData": issued.certificate.decode(),
            "clientKeyData": issued.key.decode(),
        }
        self.program(status, provideClusterInfo=True)
        await self.works()
        told = json.loads((self.folder / "runs").read_text())["spec"]["cluster"]
        self.assertEqual(told["server"], self.cluster.url)

    async def test_fails(self) -> None:
        """
        A program that fails, prints something else, or does not exist, is reported in
        one line.
        """
        named = f"no credentials from '{self.folder}/./plugin': ".replace("/./", "/")
        self.program(None)
        self.assertEqual(
            await self.failure(), named + "it printed no ExecCredential with a status"
        )
        self.write("plugin", "#!/bin/sh\necho log in first >&2; exit 1\n")
        self.assertEqual(await self.failure(), named + "exit status 1: log in first")
        self.write("plugin", "#!/bin/sh\necho a credential; exit 1\n")
        self.assertEqual(await self.failure(), named + "exit status 1")
        self.program({}, command="no-such-plugin", installHint="Get it\nthere.")
        self.assertEqual(
            await self.failure(),
            "no credentials from 'no-such-plugin': cannot run 'no-such-plugin': no such "
            "executable on PATH. Get it there.",
        )

    async def test_slow(self) -> None:
        """
        So is one that does not end.
        """
        plugin = self.write("plugin", "#!/bin/sh\nsleep 1000\n")
        credentials = ExecCredentials(
            self.reactor, [plugin], os.environ, API_VERSIONS[0], "", time.time, timeout=0.2
        )
        error = await self.assertFailure(_deferred(credentials.get()), DaemonError)
        self.assertRegex(str(error), r"it did not end within 0\.2 s\Z")


class BadTests(_Tests):
    """
    Tests of what can't be used.
    """

    def refusal(self, **environ: str) -> str:
        """
        @return: what is wrong.
        """
        environ = environ or {"KUBECONFIG": self.kubeconfig}
        factory = KubernetesFactory(environ, self.folder)
        options = PodOptions(image="app:1", edge="tcp:e:9080")
        error = self.assertRaises(BadSpawnSpec, factory.create, options, [], self.reactor)
        self.assertRegex(str(error), r"\Akubernetes: [^\n]+\Z")
        return str(error)

    def test_none(self) -> None:
        """
        No cluster, or no file.
        """
        self.assertIn("not in a Pod", self.refusal(HOME=str(self.folder)))
        self.assertIn("No such file or directory", self.refusal(KUBECONFIG="/no/such"))
        told = self.refusal(HOME=str(self.folder), KUBERNETES_SERVICE_HOST="192.0.2.1")
        self.assertIn("ca.crt: No such file or directory", told)

    def test_files(self) -> None:
        """
        Files that are none.
        """
        for text, why in (
            ("[", "while parsing"),
            ("a", "it is no kubeconfig"),
            ("{}", "no current-context"),
            ("users: [1]", "one of its users has no name"),
            ("{current-context: a}", "there is no context 'a'"),
        ):
            self.write("kubeconfig", text)
            self.assertIn(why, self.refusal())

    def test_users(self) -> None:
        """
        Users that can't be used, without a word about their secrets.
        """
        program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "a"}
        for user, why in (
            ({"username": "a", "password": "secret"}, "username is not supported"),
            ({"auth_provider": {"name": "gcp"}}, "auth-provider is not supported"),
            ({"client_certificate_data": "secret!"}, "client-certificate-data is no base64"),
            ({"client_certificate_data": "c2VjcmV0"}, "belong together"),
            (
                {"client_certificate_data": "c2VjcmV0", "client_key_data": "c2VjcmV0"},
                "no certificate in it",
            ),
            ({"client_certificate": "none", "client_key": "none"}, "No such file"),
            ({"tokenFile": "none"}, "tokenFile"),
            ({"token": 1}, "token is no text"),
            ({"exec": 1}, "exec is no mapping"),
            ({"exec": {**program, "apiVersion": "v0"}}, "apiVersion must be"),
            (
                {"exec": {**program, "interactiveMode": "Always"}},
                "Always is not supported",
            ),
            ({"exec": {**program, "command": ""}}, "has no command"),
            ({"exec": {**program, "args": 1}}, "args must be a list"),
        ):
            self.user(**user)
            told = self.refusal()
            self.assertIn(why, told)
            self.assertNotIn("secret", told)

    def test_clusters(self) -> None:
        """
        Clusters that can't be used.
        """
        for name, value, why in (
            ("server", "nowhere", "is no URL"),
            ("proxy-url", "http://proxy", "proxy-url is not supported"),
            ("certificate-authority-data", "!", "is no base64"),
            ("certificate-authority-data", "YQ==", "there is no certificate in it"),
        ):
            self.cluster.writeConfig(Path(self.kubeconfig), None, **{name: value})
            self.assertIn(why, self.refusal())


class OptionTests(_Tests):
    """
    Tests of options that don't go together.
    """

    def test_bad(self) -> None:
        """
        They are reported in one line.
        """
        node = "edge=tcp:e:9080"
        for spec, why in (
            ("", "needs image= or template="),
            ("image=a template=b", "needs image= or template="),
            ("image=a", "needs edge=, where a node in a Pod reaches the edge"),
            ("image=a edge=nowhere", "bad value for edge: 'nowhere'"),
            ("image=a port=1 " + node, "edge= is for nodes"),
            ("image=a port=70000", "bad value for port"),
            ("image=a ready-path=/ " + node, "ready-path= goes with port="),
            ("image=a namespace=A/b " + node, "bad value for namespace"),
            (f"template={self.folder}/none {node}", "none: No such file"),
            (f"template={self.kubeconfig} {node}", "it must be one Pod"),
        ):
            error = self.assertRaises(BadSpawnSpec, self.spawner, spec)
            self.assertRegex(str(error), r"\Akubernetes: [^\n]+\Z")
            self.assertIn(why, str(error))

    async def test_owner(self) -> None:
        """
        What an edge in a Pod makes belongs to that, in its own namespace.
        """
        self.write("namespace", "default")
        environ = {"KUBECONFIG": self.kubeconfig, "POD_NAME": "edge-7", "POD_UID": "u"}
        factory = KubernetesFactory(environ, self.folder)
        for namespace, owners in (("default", 1), ("apps", 0)):
            options = PodOptions(image="app:1", port="8000", namespace=namespace)
            spawner = factory.create(options, ["sleep", "1000"], self.reactor)
            instance = spawner.spawn(self.order())
            pod = await self.runningPod()
            self.assertEqual(len(pod["metadata"].get("ownerReferences", ())), owners)
            await spawner.stop()
            await self.over(instance)


def _deferred(coroutine: Any) -> Any:

    return Deferred.fromCoroutine(coroutine)
