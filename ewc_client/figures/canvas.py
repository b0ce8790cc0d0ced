"""Drawing to PNG and SVG with matplotlib's objects alone: no windows, no state left behind, the same bytes every time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from ewc_client.visible_text import visible

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ewc",
    "text.parse_math": False,  # a task may be called "$5"
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.4,
}
_DOTS_PER_INCH = 200


def render(draw: Callable[[Figure], None], *, title: str, notes: str, width: float, height: float) -> dict[str, bytes]:
    """The files "png" and "svg" of a figure of `width` by `height` inches. The user's matplotlib settings play no part."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)  # a box stands for the letter
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        _label_decades_without_mathematics(figure)
        for text in figure.findobj(Text):
            if isinstance(text, Text):
                text.set_text(visible(text.get_text()))  # names of tasks; what XML cannot hold would break the SVG
        figure.suptitle(title, fontsize=10.0)
        figure.supxlabel(notes, fontsize=6.5, color="0.4")
        return {"png": _saved(figure, "png", dpi=_DOTS_PER_INCH), "svg": _saved(figure, "svg", metadata={"Date": None})}


class _Plain(LogFormatter):
    """Numbers as people write them, 0.1 and 1000, where matplotlib would write one at all."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def _label_decades_without_mathematics(figure: Figure) -> None:
    """10 and 0.1 on logarithmic axes: matplotlib's own labels are mathematics, which `text.parse_math` leaves as written."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_formatter(_Plain())
                axis.set_minor_formatter(_Plain())


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, **options)
    return file.getvalue()
