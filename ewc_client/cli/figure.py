"""`ewc figure`: the figures of the paper."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ewc_client.cli import exit_codes
from ewc_client.cli.connection import KeyOption, UrlOption
from ewc_client.cli.output import Output, OutputOption, print_table, say
from ewc_client.cli.own_service import connected
from ewc_client.cli.spec_file import read_object
from ewc_client.errors import JobCancelledError, JobFailedError
from ewc_client.figures import Recipe, load_recipe
from ewc_client.figures.curves import Curve
from ewc_client.figures.make import MadeFigure, make_figure
from ewc_client.terminal import message_console, print_json


class FigureName(StrEnum):
    """The figures that can be made."""

    RANDOM_PATTERNS = "2"
    ACCURACY_CURVES = "3a"
    MEAN_ACCURACY = "3b"
    OVERLAP = "3c"
    GAMES_OVER_TIME = "4a"
    TOTAL_SCORE = "4b"
    NOISE_ON_WEIGHTS = "4c"
    PER_GAME = "s3"


def figure(
    name: Annotated[
        FigureName,
        typer.Argument(
            metavar="FIGURE",
            help="2: memory of random patterns; 3a: accuracy on three tasks while they are learned; "
            "3b: mean accuracy over up to ten tasks; 3c: Fisher overlap by depth; 4a: when which game was played, and the "
            "score on each; 4b: the total of their scores; 4c: an agent with noise on its weights; s3: each game while it is "
            "learned",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="folder to write into")] = Path("figures"),
    quick: Annotated[bool, typer.Option("--quick", help="a look in minutes: less training, and the title says so")] = False,
    jobs: Annotated[
        list[str] | None, typer.Option("--job", metavar="PART=JOB", help="take this job for a part, instead of training one")
    ] = None,
    specs: Annotated[list[str] | None, typer.Option("--spec", metavar="PART=FILE", help="train this job spec for a part")] = None,
    print_spec: Annotated[bool, typer.Option("--print-spec", help="print the job specs of all parts, and train nothing")] = False,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a figure of the paper: train what it needs, then write PNG, SVG, CSV and the specs behind it.

    Jobs that have been submitted for the same specs before are taken again. With no service anywhere, one is started for
    as long as this command runs.
    """
    recipe = load_recipe(name.value, quick=quick)
    own = {part: read_object(file, what="job spec") for part, file in _pairs(specs, "--spec", recipe).items()}
    recipe = recipe.with_specs(own)
    given = _pairs(jobs, "--job", recipe)
    if print_spec:
        print_json(recipe.document())
        return
    try:
        made = _make(recipe, given, out, url, api_key)
    except (JobFailedError, JobCancelledError) as error:
        say(*f"error: {error}".split("\n"))
        say("Other jobs keep their place, and the same command comes back to them.")
        failed = isinstance(error, JobFailedError)
        raise typer.Exit(exit_codes.JOB_FAILED if failed else exit_codes.JOB_CANCELLED) from None
    except KeyboardInterrupt:
        say("", "Detached. Jobs keep their place; the same command comes back to them.")
        sys.exit(exit_codes.DETACHED)
    _report(made, output)


def _make(recipe: Recipe, given: dict[str, str], out: Path, url: str | None, api_key: str | None) -> MadeFigure:
    console = message_console()
    with connected(url, api_key) as service:
        return make_figure(service.client, recipe, given, directory=out, console=console, say=say)


def _pairs(texts: Sequence[str] | None, option: str, recipe: Recipe) -> dict[str, str]:
    """`PART=VALUE` texts as a dictionary, in which every part is one of the figure."""
    pairs: dict[str, str] = {}
    for text in texts or []:
        part, separator, value = text.partition("=")
        if not separator or not value or part not in recipe.parts or part in pairs:
            expected = " or ".join(f"{known}=..." for known in recipe.parts)
            raise typer.BadParameter(f"{text!r}: expected {expected}, each once", param_hint=option)
        pairs[part] = value
    return pairs


def _report(made: MadeFigure, output: Output) -> None:
    if output is Output.JSON:
        curves = [
            {"panel": curve.panel, "curve": curve.name, "num_points": len(curve.x), **_ends(curve)} for curve in made.curves
        ]
        print_json({"files": [str(path) for path in made.paths], "jobs": made.jobs, "curves": curves})
        return
    rows = [(curve.panel, curve.name, len(curve.x), *map(_place, _ends(curve).values())) for curve in made.curves]
    print_table(("panel", "curve", "points", "first", "last"), rows, empty="The figure has no curves.")
    for path in made.paths:
        say(str(path))


def _ends(curve: Curve) -> dict[str, tuple[float, float] | None]:
    """x and y of the first and of the last point."""
    points = list(zip(map(float, curve.x), map(float, curve.y), strict=True))
    return {"first": points[0] if points else None, "last": points[-1] if points else None}


def _place(point: tuple[float, float] | None) -> str:
    return "" if point is None else f"{point[1]:.4g} at {point[0]:g}"
