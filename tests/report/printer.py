"""An executor that makes pages without a notebook: what a run does with pages can be tested in no time."""

from concurrent.futures import Executor, Future

from nofcore.report.page import Outcome
from nofcore.report.worker import Result

MADE = '<title>{title}</title>\n<meta name="nofcore-made" content="{time}">\n{word}'


class Printer(Executor):
    """Makes of each page a table, a notebook and the HTML with a word in them; counts the pages it makes.

    A page whose name begins with `bad` fails; one that begins with `dead` takes its worker along.
    """

    def __init__(self, word: str = "word", declared: tuple[str, ...] = ("trust", "files")) -> None:
        self.word, self.declared = word, declared
        self.made: list[str] = []

    def submit(self, function, job) -> Future:
        future = Future()
        if function.__name__ == "declared_parameters":
            future.set_result(self.declared)
        elif job.page.slug.startswith("dead"):
            future.set_exception(RuntimeError("the worker\nhas gone"))
        else:
            future.set_result(self._result(job))
        return future

    def _result(self, job) -> Result:
        slug = job.page.slug
        self.made.append(slug)
        if slug.startswith("bad"):
            outcome = Outcome(job.page, False, 0.5, f"ValueError: no luck; see {slug}.failed.ipynb")
            return Result(outcome, {f"{slug}.failed.ipynb": b"{}"})
        headline = {"text": f"All about {slug}.", "facts": {"downloads": [f"{slug}-table.csv"]}}
        html = MADE.format(title=job.page.title, time=job.provenance["time"], word=self.word)
        files = {f"{slug}-table.csv": self.word, f"{slug}.ipynb": self.word, f"{slug}.html": html}
        return Result(
            Outcome(job.page, True, 1.5, None, headline), {name: text.encode() for name, text in files.items()}
        )
