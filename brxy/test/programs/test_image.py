"""
Tests of the image that C{Dockerfile} describes, with a real daemon.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from brxy.test.support.docker.baseimage import BASE, NO_BASE, makeBase
from brxy.test.support.docker.dockerd import Dockerd, theDockerd
from brxy.test.support.processes.builds import needBuildTools
from brxy.test.support.processes.programs import ProgramTests
from brxy.test.support.processes.wheelhouse import theWheelhouse

__all__ = ["ImageTests"]

# Where pip in the build finds what brxy needs.
_PIP_ARGS = "--no-index --find-links /usr/src/brxy/wheels"


class ImageTests(ProgramTests):
    """
    Tests of the image.
    """

    timeout = 300

    if NO_BASE:
        skip = NO_BASE

    def built(self, dockerd: Dockerd) -> str:
        """
        Build the image from the checkout, without any network.

        @return: its name.
        """
        needBuildTools()
        house = theWheelhouse()
        context = self.folder / "context"
        shutil.copytree(house.source, context)
        shutil.copytree(Path(house.environ["PIP_FIND_LINKS"]), context / "wheels")
        makeBase(dockerd)
        done = subprocess.run(
            ["docker", "--host", dockerd.host, "build", "--network", "none", "--tag", "brxy:1"]
            + [
                "--build-arg",
                f"BASE={BASE}",
                "--build-arg",
                f"PIP_ARGS={_PIP_ARGS}",
                str(context),
            ],
            # Debian's docker has no other builder.
            env={**os.environ, "DOCKER_BUILDKIT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        return "brxy:1"

    async def test_serves(self) -> None:
        """
        The image is built without a network. A container of it, whose user has
        no rights, serves a request and is healthy, by C{brxy status}; it ends
        when it is stopped.
        """
        dockerd = theDockerd()
        image = self.built(dockerd)
        edge = ("run", "--port", "0.0.0.0:8080", "--state-dir", "/var/lib/brxy")
        app = ("--", "python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}")
        rights = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only")
        volume = ("--tmpfs", "/var/lib/brxy:uid=65532,mode=700")
        arguments = ("--detach", "--health-interval", "1s", *rights, *volume, image, *edge, *app)
        container = dockerd.docker("run", *arguments).stdout.strip()
        self.addCleanup(dockerd.docker, "rm", "--force", "--volumes", container)

        def shown(template: str) -> str:
            return dockerd.docker("inspect", "--format", template, container).stdout.strip()

        address = shown("tcp:{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}:8080")
        await self.until(lambda: "listening on" in dockerd.docker("logs", container).stderr)
        answer = await self.get(address)
        self.assertEqual(answer.status, 200, dockerd.docker("logs", container).stderr)
        self.assertIn("Directory listing for /", answer.body)
        await self.until(lambda: shown("{{.State.Health.Status}}") == "healthy")
        self.assertEqual(shown("{{.Config.User}}"), "65532:65532")
        dockerd.docker("stop", container)
        self.assertEqual(shown("{{.State.OOMKilled}}"), "false")
        self.assertNotEqual(shown("{{.State.ExitCode}}"), "137")
