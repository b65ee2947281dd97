"""
Tests of L{brxy.processes.cgroups}, with a hierarchy that is mounted for each.
"""

from __future__ import annotations

import os
import shutil
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.processes.cgroups import Cgroup
from brxy.test.support.processes.programs import ProgramTests

# Runs a command in a group of its own; "$1" are options of the mount.
_IN_GROUP = """
set -e
mkdir cgroup
for each in $(awk '$3 ~ /cgroup/ {print $2}' /proc/mounts); do umount -l "$each"; done
mount -t cgroup2 none cgroup
mkdir "cgroup/$GROUP"
echo $$ > "cgroup/$GROUP/cgroup.procs"
mount -o "remount,bind,$1" cgroup
shift
"$@"
mount -o remount,bind,rw cgroup
echo $$ > cgroup/cgroup.procs
rmdir "cgroup/$GROUP"
"""

# A daemon that hides in every way but one, and what is left of it after its leader has ended.
_HIDING = """
import os, resource, sys
from pathlib import Path
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from brxy.processes.child import Child

DAEMON = '''
import os, resource, sys, time
# By then it is in its group, also on a busy machine.
time.sleep(0.5)
if sys.argv[1] == "unmarked":
    resource.prlimit(0, 10, (-1, -1))
if os.fork():
    os._exit(0)
os.setsid()
print(os.getpid(), flush=True)
os.closerange(0, 3)
time.sleep(1000)
'''

async def main(reactor):
    pids = []
    shell = '"$0" "$@" | { read pid; echo $pid; }'
    child = Child(
        reactor,
        ["sh", "-c", shell, sys.executable, "-c", DAEMON, sys.argv[1]],
        os.environ,
        lambda fd, line: pids.append(int(line)),
        die_with_parent=True,
    )
    child.start()
    how = await child.ended
    try:
        os.kill(*pids, 0)
        state = Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        state = "Z"
    own = Path("cgroup") / os.environ["GROUP"]
    print(how.status, state in "ZX", [each.name for each in own.iterdir() if each.is_dir()])

react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


class CgroupTests(ProgramTests):
    """
    Children whose descendants are found by their control group.
    """

    async def ran(self, mark: str, mount: str = "rw") -> str:
        """
        @return: what L{_HIDING} says.
        """
        if os.geteuid() or not shutil.which("unshare"):
            raise SkipTest("needs root, and unshare of util-linux")
        (self.folder / "hiding.py").write_text(_HIDING)
        program = self.start(
            *("unshare", "--mount", "sh", "-c", _IN_GROUP, "sh", mount),
            *(sys.executable, "hiding.py", mark),
            GROUP=f"brxy-test-{self.folder.name}",
        )
        self.assertEqual(await self.ended(program), 0, program.out + program.err)
        return program.out

    async def test_unmarked(self) -> None:
        """
        A daemon that has lost its mark is in the group still. The group is removed.
        """
        self.assertEqual(await self.ran("unmarked"), "0 True []\n")

    async def test_readOnly(self) -> None:
        """
        Where no group can be made, as in most containers, the mark is enough.
        """
        self.assertEqual(await self.ran("marked", "ro"), "0 True []\n")


class GoneTests(SynchronousTestCase):
    """
    A group that is gone.
    """

    def test_gone(self) -> None:
        """
        A group that another program has removed has no members, and can be killed and removed
        again.
        """
        gone = Cgroup(self.mktemp())
        self.assertEqual(gone.members(), [])
        gone.kill()
        gone.remove()
