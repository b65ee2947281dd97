"""
What C{ssh:} runs on the other side: two fixed scripts for any C{sh}, and what
is said to them and by them.

ssh hands one string to the remote user's shell, whichever that is.  So the
scripts are quoted once, for all of those, and nothing that changes is in
them; what changes comes over standard input, and meets no shell as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["HOLD", "MADE", "RUN", "instructions", "readStatus"]

#: What L{HOLD} prints once its folder is there.
MADE = b"brxy-ssh: folder made"

_STATUS = re.compile(rb"brxy-ssh: exit (\d{1,3})")


def _quoted(script: str) -> str:
    """
    @param script: without apostrophes and backslashes, and with nothing but
        blanks after exclamation marks: these mean different things to
        different shells.
    @return: it as a command, on one line.
    """
    return f"exec sh -c '{' '.join(script.split())}'"


#: Makes the folder that the first line of its input names, for its user alone,
#: and removes it when the input ends.
HOLD = _quoted(
    """
    IFS= read -r folder && mkdir -m 700 "$folder" && echo "brxy-ssh: folder made" &&
    { trap : HUP INT PIPE TERM; IFS= read -r end; rm -rf "$folder"; }
    """
)

# The shell leads the process group in which all of this runs: an sshd has it
# so, and "exec" keeps it so.  The command has an input of its own, which stays
# open while the command is to end by SIGTERM: a node takes the end of its input
# for a second SIGTERM, and would not drain.  Nobody else touches the input that
# ends with the connection, so a command that makes its own non-blocking does no
# harm.  The status comes as a line, since what ssh exits with can be its own
# failure too, and since SIGKILL for the group ends this shell with the others.
# When the connection is lost, nobody takes what is printed, by the shell of who
# was killed too: SIGPIPE must not end it before it has ended the rest.  SIGTERM
# waits until two things were reported: that the input has ended, and that there
# is a command that can be told so.
#: Does what L{instructions} say: runs a command, prints how it ended, and ends
#: what is left of it.  When the input ends, the command gets SIGTERM, and
#: SIGKILL after the time it was given.
RUN = _quoted(
    """
    kill -0 "-$$" || { echo "the remote shell leads no process group" >&2; exit 125; };
    IFS= read -r backslash; IFS= read -r patience; told=;
    while IFS= read -r line; do
      case $line in *"$backslash"*) line=$(printf %bx "$line"); line=${line%x};; esac;
      case $line in
        =*) export "${line#=}";;
        +*) set -- "$@" "${line#+}";;
        .) told=yes; break;;
      esac;
    done;
    [ "$told" ] || exit 125;
    unset backslash line told;
    exec 3<&0 4>&1; trap : HUP INT PIPE TERM;
    { trap : HUP INT PIPE TERM; {
      trap "" HUP INT PIPE TERM;
      cat <&3; echo ended >&5;
      sleep "$patience"; echo "brxy-ssh: exit 137" >&4; kill -KILL "-$$";
    } | {
      exec 6<&0;
      "$@" <&6 >&4 3<&- 4>&- 5>&- 6<&- & child=$! ;
      trap "" HUP INT PIPE TERM;
      echo begun >&5;
      wait "$child"; code=$?;
      { echo; echo "brxy-ssh: exit $code"; } >&4;
      kill -KILL "-$$";
    }; } 5>&1 | { read -r line && read -r line && kill -TERM "-$$"; }
    """
)


def instructions(
    environment: Mapping[str, str], command: Iterable[str], stop_timeout: float
) -> bytes:
    """
    What L{RUN} reads.

    @param environment: what the command is to find besides what its user has
        there.
    @param stop_timeout: seconds from SIGTERM to SIGKILL, when the input ends.
    """
    lines = ["\\", f"{stop_timeout:g}"]
    lines += [_escaped(f"={name}={value}") for name, value in environment.items()]
    lines += [_escaped(f"+{argument}") for argument in command]
    return "".join(f"{line}\n" for line in [*lines, "."]).encode("ascii")


def _escaped(text: str) -> str:
    """
    A text as printable ASCII, for C{printf %b}.
    """
    data = text.encode("utf-8", "surrogateescape")
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\0{byte:03o}" for byte in data
    )


def readStatus(line: bytes) -> int | None:
    """
    @param line: one that L{RUN} or the command printed.
    @return: the exit status, if that is what it says; as shells have it, 128
        and the number of a signal for who was killed.
    """
    match = _STATUS.fullmatch(line)
    return int(match[1]) if match else None
