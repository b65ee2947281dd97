"""
What C{ssh:} runs on a host: two fixed scripts for any C{sh}, their input and their output.

ssh passes one string to the remote user's shell, which may be any shell.  So the scripts
are fixed and quoted for all shells.  What varies comes over standard input, and no shell
runs it as code.

The user's shell may print before it runs a script (C{bash} reads C{.bashrc}), and what it
prints may lack the end of its line.  So both scripts print an empty line first.
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
    Quote a script as a command on one line.

    @param script: without apostrophes and backslashes, and with nothing but
        blanks after exclamation marks: these mean different things to
        different shells.
    """
    return f"exec sh -c '{' '.join(script.split())}'"


#: Makes the folder that the first line of its input names, accessible to its user only,
#: and removes it when the input ends.
HOLD = _quoted(
    """
    echo; IFS= read -r folder && mkdir -m 700 "$folder" && echo "brxy-ssh: folder made" &&
    { trap : HUP INT PIPE TERM; IFS= read -r end; rm -rf "$folder"; }
    """
)

# The shell leads the process group in which all of this runs: an sshd starts it so, and
# "exec" keeps it so.  The command has an input of its own, which stays open while SIGTERM
# ends the command: a node takes the end of its input for a second SIGTERM, and would not
# drain.  The command does not share the input that ends with the connection, so it does
# no harm if it makes its own non-blocking.  The status comes as a line, because the exit
# status of ssh can report a failure of its own, and because SIGKILL for the group ends
# this shell too.  When the connection is lost, writing fails: SIGPIPE must not end the
# shell before it has ended the rest.  SIGTERM waits for two reports: that the input has
# ended, and that the command has begun.
#: Follows L{instructions}: runs a command, prints how it ended, and ends what is left of
#: it.  When the input ends, the command gets SIGTERM, and SIGKILL after its stop timeout.
RUN = _quoted(
    """
    echo; kill -0 "-$$" || { echo "the remote shell leads no process group" >&2; exit 125; };
    IFS= read -r backslash; IFS= read -r patience; complete=;
    while IFS= read -r line; do
      case $line in *"$backslash"*) line=$(printf %bx "$line"); line=${line%x};; esac;
      case $line in
        =*) export "${line#=}";;
        +*) set -- "$@" "${line#+}";;
        .) complete=yes; break;;
      esac;
    done;
    [ "$complete" ] || exit 125;
    unset backslash line complete;
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
    Write the input of L{RUN}.

    @param environment: added to the environment of the remote user.
    @param stop_timeout: seconds from SIGTERM to SIGKILL, when the input ends.
    """
    lines = ["\\", f"{stop_timeout:g}"]
    lines += [_escaped(f"={name}={value}") for name, value in environment.items()]
    lines += [_escaped(f"+{argument}") for argument in command]
    return "".join(f"{line}\n" for line in [*lines, "."]).encode("ascii")


def _escaped(text: str) -> str:
    """
    Write a text as printable ASCII, for C{printf %b}.
    """
    data = text.encode("utf-8", "surrogateescape")
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\0{byte:03o}" for byte in data
    )


def readStatus(line: bytes) -> int | None:
    """
    Read the exit status from a line that L{RUN} or the command printed.

    @return: the exit status, which is 128 + n after a signal n; L{None} if it is
        another line.
    """
    match = _STATUS.fullmatch(line)
    return int(match[1]) if match else None
