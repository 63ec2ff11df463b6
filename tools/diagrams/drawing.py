"""Boxes, arrows and words as SVG 1.1, readable in the light and in the dark. Pure. Lengths are pixels."""

from __future__ import annotations

from html import escape
from typing import Final

_STYLE: Final = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328; }
.small { font-size: 11px; } .faint { fill: #59636e; } .strong { font-weight: 600; }
.ground { fill: #ffffff; } .box { fill: #f6f8fa; stroke: #59636e; } .store { fill: #ddf4ff; stroke: #0969da; }
.done { fill: #dafbe1; stroke: #1a7f37; } .bad { fill: #ffebe9; stroke: #cf222e; }
.line { fill: none; stroke: #59636e; stroke-width: 1.5; } .dashed { stroke-dasharray: 5 4; } .tip { fill: #59636e; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .faint { fill: #9198a1; } .ground { fill: #0d1117; } .box { fill: #151b23; stroke: #9198a1; }
.store { fill: #0c2d6b; stroke: #4493f8; }
.done { fill: #04260f; stroke: #3fb950; } .bad { fill: #3c0614; stroke: #f85149; }
.line { stroke: #9198a1; } .tip { fill: #9198a1; }
}"""


class Drawing:
    """An SVG of a width and height; shapes are drawn in the order of the calls."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img">\n'
            f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n"
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>\n'
            f'<rect class="ground" width="{width}" height="{height}" rx="8"/>\n'
        )
        self._shapes: list[str] = []

    def text(self, x: float, y: float, words: str, *, kind: str = "", anchor: str = "middle") -> None:
        """Words whose base line is at ``y``."""
        shown = f' class="{kind}"' if kind else ""
        self._shapes.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{shown}>{escape(words)}</text>')

    def box(self, x: float, y: float, width: float, height: float, *lines: str, kind: str = "box") -> None:
        """A box with its first line strong and the others small, all of them centred."""
        self._shapes.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>')
        first = y + height / 2 + 5 - 8 * (len(lines) - 1)
        for number, line in enumerate(lines):
            self.text(x + width / 2, first + 16 * number, line, kind="small faint" if number else "strong")

    def arrow(self, *points: tuple[float, float], words: str = "", dashed: bool = False, above: float = 6) -> None:
        """A line through these points with a tip at its end, and words over the middle of its first stretch."""
        drawn = " ".join(f"{x:g},{y:g}" for x, y in points)
        kind = "line dashed" if dashed else "line"
        self._shapes.append(f'<polyline class="{kind}" points="{drawn}" marker-end="url(#tip)"/>')
        if words:
            (x1, y1), (x2, y2) = points[:2]
            self.text((x1 + x2) / 2, (y1 + y2) / 2 - above, words, kind="small faint")

    def line(self, x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False) -> None:
        kind = "line dashed" if dashed else "line"
        self._shapes.append(f'<path class="{kind}" d="M{x1:g} {y1:g} L{x2:g} {y2:g}"/>')

    def svg(self) -> str:
        return self._head + "".join(f"{shape}\n" for shape in self._shapes) + "</svg>\n"
