"""What all charts share: a figure with its text alternative, colours and sizes.

Segments have the same colours everywhere, told apart by colour-blind readers, and a marker shape
each as a second cue. NHS England's are four; rules of one's own may have more, up to eight.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

from nofcore import exhibits

STYLE = Path(__file__).with_name("style.mplstyle")
SEGMENT_COLOURS = {
    1: "#0b4f9e", 2: "#5aa2e0", 3: "#f2a33a", 4: "#a63f00",
    5: "#4a1c40", 6: "#8f7a8b", 7: "#2f3a3f", 8: "#9aa39b",
}  # fmt: skip
SEGMENT_MARKERS = {1: "o", 2: "s", 3: "D", 4: "^", 5: "v", 6: "P", 7: "X", 8: "p"}
SEGMENT_HATCHES = {1: "", 2: "----", 3: "////", 4: "xxxx", 5: "....", 6: "||||", 7: "++++", 8: "\\\\\\\\"}
NARROW = 5
"""A chart of up to this many inches in width is shown whole on a phone; a wider one keeps its size and scrolls."""
NAMED = 70
"""A chart of up to this many trusts gives the code of each on its axis."""
NAMED_IN_PLOT = 20
"""A scatter of up to this many trusts gives the code of each beside its point."""
HEAT = ["#0b4f9e", "#5aa2e0", "#f7f4ea", "#f2a33a", "#a63f00"]
"""Scores 1 to 4, from the colour of segment 1 through near-white to that of segment 4."""
MISSING = "#8b949a"


@dataclass(frozen=True)
class Chart:
    """A figure with its text alternative; a notebook shows it as SVG with the text attached.

    ``places``: where a trust is in the chart, by its code, as (x, y) in data coordinates of the first axes; a reader
    who looks for the trust has it marked there.
    """

    figure: Figure
    alt: str
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle, about = {}, {"alt": self.alt}
        with plt.style.context(STYLE):  # the style also fixes the ids inside the SVG
            buffer = io.StringIO()
            self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
            bundle["image/svg+xml"] = buffer.getvalue()
            if self.places:
                about["places"] = self._fractions()
            if self.figure.get_figwidth() <= NARROW:
                about["narrow"] = True
            if exhibits.wanted():
                bundle["image/png"] = self._picture()
        plt.close(self.figure)
        return bundle, {"image/svg+xml": about}

    def _picture(self) -> str:
        """The chart for print as PNG, in base64."""
        with plt.rc_context({"figure.constrained_layout.use": False}):
            self.figure.set_layout_engine(None)  # laid out already, and with "none" drawn twice
        image, quick = io.BytesIO(), {"compress_level": 3}
        self.figure.savefig(image, format="png", dpi=exhibits.PRINT_DPI, metadata={"Software": None}, pil_kwargs=quick)
        return base64.b64encode(image.getvalue()).decode("ascii")

    def _fractions(self) -> dict[str, list[float]]:
        """The places as fractions of the figure's width and height, from its upper left corner."""
        codes = list(self.places)
        change = self.figure.axes[0].transData + self.figure.transFigure.inverted()
        across = change.transform([self.places[code] for code in codes])
        return {code: [round(float(x), 4), round(float(1 - y), 4)] for code, (x, y) in zip(codes, across, strict=True)}


@dataclass(frozen=True)
class Charts:
    """Several charts, shown one below the other."""

    charts: tuple[Chart, ...]

    def _ipython_display_(self) -> None:
        for chart in self.charts:
            display(chart)


def spots(codes: Iterable[str], x: Iterable[float], y: Iterable[float]) -> dict[str, tuple[float, float]]:
    """Where trusts are, for `Chart.places`; without those that have no place."""
    found = {code: (float(a), float(b)) for code, a, b in zip(codes, x, y, strict=True)}
    return {code: place for code, place in found.items() if all(map(math.isfinite, place))}


def ring(axes, places: Mapping[str, tuple[float, float]], shown: str | None) -> None:
    """A ring and its code around the trust that is to be shown in particular, if it is in the chart."""
    if shown in places:
        axes.scatter(*places[shown], s=150, facecolor="none", edgecolor="#212b32", linewidth=1.6, zorder=6)
        axes.annotate(
            shown, places[shown], xytext=(8, 7), textcoords="offset points", fontsize=10, weight="bold", zorder=6
        )


def make_axes(width: float, height: float):
    """A figure and its axes, in inches, in the style of the kit."""
    with plt.style.context(STYLE):
        return plt.subplots(figsize=(width, height))
