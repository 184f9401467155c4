"""An executed notebook made into one HTML page."""

from collections.abc import Mapping
from textwrap import shorten

from nbconvert.exporters.templateexporter import TemplateExporter
from traitlets.config import Config

from . import sorting, svg
from .audit import audit
from .files import Files
from .page import Page
from .prose import Outline
from .render import TEMPLATES, render

# The first of these that an output offers is shown.
SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain")


NONE = Files()
NAME = 70  # characters of the name of a chart


class ConversionError(ValueError):
    """A notebook ran, but its page would not be fit to publish."""


def convert(notebook, page: Page, headline: Mapping | None, provenance: Mapping, files: Files = NONE) -> str:
    """The whole HTML text of a page, which offers the files beside it.

    Raises ConversionError for an image without a text alternative, an output that has no readable form, or
    anything that the page would have to fetch.
    """
    check_outputs(notebook)
    outline = Outline()
    body = article(notebook, outline)
    html = render(
        "page.html.j2",
        page=page,
        article=body,
        datatables=sorting.datatables() if sorting.MARK in body else None,
        contents=outline.entries,
        headline=headline,
        files=files,
        provenance=provenance,
    )
    problems = audit(html)
    if problems:
        raise ConversionError("; ".join(problems))
    return html


def article(notebook, outline: Outline) -> str:
    """The body of the page by the project's nbconvert template: prose and outputs, no code, no prompts."""
    exporter = TemplateExporter(
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="nof",
        template_file="article.html.j2",
        default_preprocessors=[],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        filters={
            "svg_address": svg.address,
            "chart_name": chart_name,
            "prose": outline.prose,
            "data_prose": outline.data_prose,
            "fragment": outline.fragment,
        },
        config=Config(NbConvertBase={"display_data_priority": list(SHOWN)}),
    )
    body, _ = exporter.from_notebook_node(notebook)
    return body + outline.close()


def chart_name(alt: str) -> str:
    """A short name of a chart for lists of landmarks: the first words of its text alternative, which says the rest.

    >>> chart_name("Ranks of 10 trusts.")
    'Chart: Ranks of 10 trusts.'
    """
    return f"Chart: {shorten(alt, NAME, placeholder=' …')}"


def check_outputs(notebook) -> None:
    """Raise ConversionError for the first output that could not be shown to every reader, naming its cell."""
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if "data" in output:
                _check_output(output, f"cell {number}")


def _check_output(output, where: str) -> None:
    kind = next((kind for kind in SHOWN if kind in output.data), None)
    if kind is None:
        raise ConversionError(f"{where}: no way to show an output of type {', '.join(output.data)}")
    if kind.startswith("image/") and not output.metadata.get(kind, {}).get("alt", "").strip():
        raise ConversionError(
            f'{where}: an image without a text alternative; display it with metadata={{"{kind}": {{"alt": "..."}}}}'
        )
