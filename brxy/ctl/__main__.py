"""
C{python -m brxy.ctl}: the command C{brxy}, where it is not on the path.
"""

from __future__ import annotations

from brxy.ctl.main import main

if __name__ == "__main__":
    main()
