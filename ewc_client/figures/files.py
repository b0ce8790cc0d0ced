"""The files of a figure: PNG, SVG, its numbers as CSV, and where they come from as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ewc_client.errors import FigureError
from ewc_client.figures.curves import Plot, curves_csv
from ewc_client.figures.recipe import Recipe
from ewc_client.job import Job
from ewc_client.models import Body

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Drawing(Protocol):
    """A module that makes one figure."""

    SIZE: tuple[float, float]

    def collect(self, jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
        """The curves, from finished jobs and from the answers to the figure's question about them."""

    def draw(self, figure: Figure, plot: Plot) -> None:
        """Put the curves on a matplotlib figure."""


def write_figure(directory: Path, recipe: Recipe, plot: Plot, drawing: Drawing, origin: Body) -> list[Path]:
    """Write all files into `directory`, made when it is missing; a figure of the same name is replaced.

    Raises:
        FigureError: the files cannot be written.
    """
    from ewc_client.figures.canvas import render  # matplotlib takes a second to load

    width, height = drawing.SIZE
    images = render(
        lambda figure: drawing.draw(figure, plot), title=recipe.title, notes="\n".join(plot.notes), width=width, height=height
    )
    document = json.dumps(origin, indent=2, ensure_ascii=False) + "\n"
    contents = {**images, "csv": curves_csv(plot.curves).encode(), "json": document.encode()}
    paths = {suffix: directory / f"{recipe.stem}.{suffix}" for suffix in contents}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for suffix, path in paths.items():
            path.write_bytes(contents[suffix])
    except OSError as error:
        raise FigureError(f"{directory}: the figure cannot be written there ({error.strerror}); its jobs are kept") from error
    return list(paths.values())


def origin_of(
    recipe: Recipe, jobs: Mapping[str, Job], answers: Mapping[str, Job], plot: Plot, *, service: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that made a figure: the specs as the service trained them, the jobs, its version, and the time."""
    return {
        "figure": recipe.figure,
        "title": recipe.title,
        "quick": recipe.quick,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "service": dict(service),
        "jobs": {part: _origin(job) for part, job in jobs.items()},
        "analyses": {part: _origin(answer) for part, answer in answers.items()},
        "marks": {name: list(values) for name, values in plot.marks.items()},
    }


def _origin(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "weights_sha256": job.weights_sha256,
        "created_at": job.created_at,
        "warnings": [{"code": warning.code, "message": warning.message} for warning in job.warnings],
        "spec": job.spec,
    }
