"""
Finds the reason for a program's failure in the last lines that it printed.

Pure: lines in, a line out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["LINES", "cause"]

#: The number of last lines that are enough: the report of a crash, with its stack.
LINES = 100

# The beginning of Python's report of an exception, whose name is on the first line behind
# it that is not indented.
_TRACEBACK = "Traceback (most recent call last):"

# An exception of Python, Node or Java by its name, as "redis.exceptions.ConnectionError:
# refused", "Error [ERR_X]: no", "Uncaught TypeError: bad".
_NAMED = re.compile(
    r"(Uncaught )?(Exception in thread \S+ |Caused by: )?"
    r"([A-Za-z_$][\w$]*[.:]+)*[A-Z][\w$]*(Error|Exception|Failure|Exit)( \[\w+\])?(:( |$).*)?"
)
_ERROR = re.compile(r"Error( \[\w+\])?: \S.*")

_OTHERS = (
    # Go.
    re.compile(r"(panic|fatal error): .+"),
    # PHP, which prints the report twice if it is also displayed.
    re.compile(r"(PHP )?(Fatal|Parse) error: .+"),
    # Ruby: FILE:LINE:in METHOD: TEXT (CLASS).
    re.compile(r"\S.*:\d+:in .+ \([A-Z]\w*(::\w+)*\)"),
)

# Rust: the text is on the line behind it, or before 1.73 on the same one.
_PANIC = re.compile(r"thread '.*' (\(\d+\) )?panicked at .+")

# Lines after the report of an exception that say nothing more about it.
_NOISE = re.compile(
    r"\s*(Node\.js v[\d.]+|[\]\[(){}<>,;.^~\s]*|exit status \d+|at .+|from .+:in .+|#\d+ .+"
    r"|\.\.\. \d+ .+|note: run with .+|goroutine \d+ .+|Stack trace:|thrown in .+ on line \d+)"
)


def cause(lines: Sequence[str]) -> str:
    """
    Find the line that says why a program failed: the last exception or panic that is reported,
    else the last line that is more than punctuation or a part of a stack.

    @param lines: the last lines that it printed, without their ends.
    @return: one of them, or two that belong together; C{""} if there is none.
    """
    for index in range(len(lines) - 1, -1, -1):
        found = _reported(lines, index)
        if found:
            return found
    for line in reversed(lines):
        if not _NOISE.fullmatch(line):
            return line
    return next((line for line in reversed(lines) if line.strip()), "")


def _reported(lines: Sequence[str], index: int) -> str:
    """
    @return: the exception of which the report is at an index; C{""} if there is none.
    """
    line = lines[index]
    if line.endswith(_TRACEBACK):
        return next((each for each in lines[index + 1 :] if each[:1].strip()), "")
    if _PANIC.fullmatch(line):
        rest = lines[index + 1] if line.endswith(":") and index + 1 < len(lines) else ""
        return f"{line} {rest}".strip()
    if any(each.fullmatch(line) for each in (_NAMED, _ERROR, *_OTHERS)):
        return line
    return ""
