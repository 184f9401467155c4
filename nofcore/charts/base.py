"""What all charts share: a figure with its text alternative, colours and sizes.

Segments have the same four colours everywhere, told apart by colour-blind readers, and a marker
shape each as a second cue.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("style.mplstyle")
SEGMENT_COLOURS = {1: "#0b4f9e", 2: "#5aa2e0", 3: "#f2a33a", 4: "#a63f00"}
SEGMENT_MARKERS = {1: "o", 2: "s", 3: "D", 4: "^"}
SEGMENT_HATCHES = {1: "", 2: "----", 3: "////", 4: "xxxx"}
NAMED = 70
"""A chart of up to this many trusts gives the code of each on its axis."""
NAMED_IN_PLOT = 20
"""A scatter of up to this many trusts gives the code of each beside its point."""
HEAT = ["#0b4f9e", "#5aa2e0", "#f7f4ea", "#f2a33a", "#a63f00"]
"""Scores 1 to 4, from the colour of segment 1 through near-white to that of segment 4."""
MISSING = "#8b949a"


@dataclass(frozen=True)
class Chart:
    """A figure with its text alternative; a notebook shows it as SVG with the text attached."""

    figure: Figure
    alt: str

    def _repr_mimebundle_(self, include=None, exclude=None):
        buffer = io.StringIO()
        with plt.style.context(STYLE):  # the style also fixes the ids inside the SVG
            self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(self.figure)
        return {"image/svg+xml": buffer.getvalue()}, {"image/svg+xml": {"alt": self.alt}}


@dataclass(frozen=True)
class Charts:
    """Several charts, shown one below the other."""

    charts: tuple[Chart, ...]

    def _ipython_display_(self) -> None:
        for chart in self.charts:
            display(chart)


def make_axes(width: float, height: float):
    """A figure and its axes, in inches, in the style of the kit."""
    with plt.style.context(STYLE):
        return plt.subplots(figsize=(width, height))
