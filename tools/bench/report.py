"""How results are shown and kept: a table for people, JSON for comparisons."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tools.bench.figures import Figure

_HEADS = ("", "median", "baseline", "ratio", "aim")


def table(title: str, baseline: str, figures: Sequence[Figure]) -> str:
    """The figures of one benchmark, a line each."""
    rows = [
        (
            f"{figure.name} [{figure.unit}]",
            number(figure.value),
            "" if figure.baseline_value is None else number(figure.baseline_value),
            _ratio(figure),
            figure.aim,
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in (_HEADS, *rows)) for column in range(len(_HEADS))]
    lines = [f"{title}  (baseline: {baseline})"]
    for row in (_HEADS, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [row[column].rjust(widths[column]) for column in (1, 2, 3)]
        cells.append(row[4])
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _ratio(figure: Figure) -> str:
    if figure.ratio is None:
        return ""
    spread = figure.spread
    return f"{figure.ratio:.2f}" + ("" if spread is None else f" ({spread[0]:.2f} to {spread[1]:.2f})")


def number(value: float) -> str:
    """Three significant figures, without an exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def plot(values: Sequence[float], height: int = 8, width: int = 72) -> str:
    """A line of values as text, oldest on the left; more values than ``width`` are averaged."""
    if not values:
        return "(no values)"
    columns = min(width, len(values))
    means = []
    for column in range(columns):
        part = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        means.append(sum(part) / len(part))
    top = max(max(means), 1e-9)
    lines = []
    for level in range(height, 0, -1):
        label = number(top * level / height).rjust(8)
        lines.append(f"{label} |" + "".join("#" if mean >= top * (level - 0.5) / height else " " for mean in means))
    lines.append(" " * 8 + "0+" + "-" * columns)
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "load_average": list(os.getloadavg()),
    }


def document(started: datetime, quick: bool, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON that is kept of a run."""
    return {"started_at": started.isoformat(), "quick": quick, "machine": machine(), "benchmarks": dict(results)}
