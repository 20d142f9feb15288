"""The plots of docs/performance.md, as SVG: small, and the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

matplotlib.rcParams.update(
    {"svg.hashsalt": "milvus_native", "svg.fonttype": "none", "font.size": 9,
     "axes.spines.top": False, "axes.spines.right": False}
)  # fmt: skip

Series = dict[str, list[tuple[float, float]]]

NAMES = {
    "native": "milvus_native",
    "grpc": "milvus_native over grpcio",
    "pymilvus": "pymilvus",
    "go": "Go SDK",
    "node": "Node SDK",
    "grpcio": "grpcio, bytes ready",
    "floor": "C on nghttp2, bytes ready",
    "memcpy": "memcpy",
    "walk": "bare C walk",
    "bare": "bare interpreter",
}
COLOURS = {
    "native": "#0b6e4f",
    "grpc": "#73b69c",
    "pymilvus": "#c8553d",
    "go": "#3d6fb4",
    "node": "#7d5ba6",
    "grpcio": "#c9a227",
    "floor": "#8a8a8a",
    "memcpy": "#8a8a8a",
}


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
    # matplotlib ends lines with blanks
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def bars(path: Path, groups: Sequence[str], values: dict[str, Sequence[float]], unit: str) -> None:
    """Horizontal bars on a logarithmic axis, one group for each case; NaN for none."""
    figure = Figure(figsize=(8, 0.62 * len(groups) + 0.9))
    axes = figure.subplots()
    height = 0.8 / len(values)
    for i, (peer, numbers) in enumerate(values.items()):
        places = [g + i * height for g in range(len(groups))]
        axes.barh(places, numbers, height, color=COLOURS[peer], label=NAMES[peer])
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_yticks([g + 0.4 - height / 2 for g in range(len(groups))], groups)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.3, -0.1), ncols=3, frameon=False)
    _save(figure, path)


def lines(path: Path, panels: Iterable[tuple[str, str, str, Series]], log_y: bool = True) -> None:
    """Panels side by side: (title, x label, y label, {peer: points}); both axes logarithmic."""
    made = list(panels)
    figure = Figure(figsize=(4.1 * len(made), 3.1))
    drawn: dict[str, Any] = {}
    for axes, (title, x, y, series) in zip(
        figure.subplots(1, len(made), squeeze=False)[0], made, strict=True
    ):
        for peer, points in series.items():
            if points:
                xs, ys = zip(*sorted(points), strict=True)
                (line,) = axes.plot(xs, ys, "o-", color=COLOURS[peer], markersize=3, linewidth=1.3)
                drawn[NAMES[peer]] = line
        axes.set_xscale("log")
        if log_y:
            axes.set_yscale("log")
        axes.minorticks_off()  # half the file
        axes.set_title(title, fontsize=9)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid(alpha=0.25, linewidth=0.5)
    figure.subplots_adjust(wspace=0.35)
    figure.legend(
        drawn.values(), drawn.keys(), loc="lower center", ncols=3, fontsize=8, frameon=False,
        bbox_to_anchor=(0.5, -0.24),
    )  # fmt: skip
    _save(figure, path)
