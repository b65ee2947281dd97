"""
One target under libFuzzer: C{python -m fuzz.harness NAME [options of libFuzzer]}.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]

# The branches of the tests themselves must not guide the fuzzer.
_ROOT = Path(__file__).parents[1]
_TESTS = [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts)
    for path in (_ROOT / "brxy" / "test").rglob("*.py")
]

with atheris.instrument_imports(include=["brxy"], exclude=_TESTS):
    from fuzz.targets import TARGETS


def main() -> None:
    """
    Run until libFuzzer ends the process.
    """
    name = sys.argv.pop(1)
    # The command that libFuzzer runs in a shell when it needs further processes.
    sys.argv[0] = shlex.join([sys.executable, "-m", "fuzz.harness", name])
    atheris.Setup(sys.argv, TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
