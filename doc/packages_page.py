"""
The directives of C{architecture.rst}: the packages of brxy, as a drawing and in tables.

Both are made from the lists that the import test enforces, and from the first sentence of
each package's docstring, so that they can't say anything else than the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

import brxy
from brxy.test.house.packages import EDGE_PARTS, PURE, ROOT, SPAWNER_PARTS

LISTS = {"brxy": ROOT, "brxy.edge": EDGE_PARTS, "brxy.spawners": SPAWNER_PARTS}

# Sizes of the drawing, in its own units.
BOX = (92, 34)
GAP = (12, 22)


def sentence(module: str) -> str:
    """
    The first sentence of a module's or package's docstring, as reStructuredText.
    """
    path = Path(brxy.__file__).parents[1].joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    paragraph = (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n\n")[0]
    first = re.split(r"(?<=\.)\s", " ".join(paragraph.split()))[0]
    return re.sub(r"[CL]\{([^}]*)\}", r"``\1``", first)


def table(parent: str) -> Iterator[str]:
    """
    The lines of a table of the packages in a list.
    """
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 20 45 35", "")
    yield from ("   * - Package", "     - Holds", "     - May import")
    for name, others in LISTS[parent].items():
        yield f"   * - ``{name}``"
        yield f"     - {sentence(f'{parent}.{name}')}"
        yield f"     - {', '.join(others.split()) or '*none of these*'}"


def rows() -> list[list[str]]:
    """
    The packages of brxy by height, lowest first: each imports only from the rows below.
    """
    height: dict[str, int] = {}
    found: list[list[str]] = []
    for name, others in ROOT.items():
        below = {other.partition(".")[0] for other in others.split()}
        height[name] = max((height[each] + 1 for each in below), default=0)
        found += [[] for _ in range(height[name] + 1 - len(found))]
        found[height[name]].append(name)
    return found


def drawing() -> Iterator[str]:
    """
    The lines of an SVG with a box for each package.
    """
    levels = rows()[::-1]
    (width, high), (across, down) = BOX, GAP
    whole = max(len(each) for each in levels) * (width + across) - across
    tall = len(levels) * (high + down) - down
    yield (
        f'<svg viewBox="-1 -1 {whole + 2} {tall + 2}" role="img" style="max-width: 46rem"'
        ' xmlns="http://www.w3.org/2000/svg">'
    )
    yield "<title>The packages of brxy: each imports only from the rows below it</title>"
    for number, names in enumerate(levels):
        left = (whole - len(names) * (width + across) + across) / 2
        top = number * (high + down)
        for place, name in enumerate(names):
            at = left + place * (width + across)
            fill = "0.18" if name in PURE.split() else "0"
            yield (
                f'<rect x="{at:g}" y="{top}" width="{width}" height="{high}" rx="5"'
                f' fill="currentColor" fill-opacity="{fill}" stroke="currentColor"/>'
                f'<text x="{at + width / 2:g}" y="{top + high / 2 + 5:g}" font-size="14"'
                f' fill="currentColor" text-anchor="middle">{escape(name)}</text>'
            )
    yield "</svg>"


class Packages(Directive):
    """
    C{.. packages:: brxy.edge}: the table of the packages in one list.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """
        See L{Directive}.
        """
        made = nodes.Element()
        lines = StringList(list(table(self.arguments[0])), "packages")
        self.state.nested_parse(lines, self.content_offset, made)
        return made.children


class PackagesDrawing(Directive):
    """
    C{.. packages-drawing::}: all packages, by height.
    """

    def run(self) -> list[nodes.Node]:
        """
        See L{Directive}.
        """
        return [nodes.raw("", "\n".join(drawing()), format="html")]


def setup(app: Any) -> dict[str, bool]:
    """
    See Sphinx.
    """
    app.add_directive("packages", Packages)
    app.add_directive("packages-drawing", PackagesDrawing)
    return {"parallel_read_safe": True}
