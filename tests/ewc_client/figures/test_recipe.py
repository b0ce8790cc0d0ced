"""What the figures train: the paper's settings, and quick variants of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ewc_client.errors import FigureError
from ewc_client.figures import load_recipe
from ewc_client.figures.recipe import spec_sha256
from ewc_core.specs import JOB_SPEC, AssociationSpec, OverlapAnalysis, PerturbationAnalysis, ReinforcementSpec, SupervisedSpec

FIGURES = ("2", "3a", "3b", "3c", "4a", "4b", "4c", "s3")
GAMES = ("4a", "4b", "s3")
QUESTIONS = {"3c": OverlapAnalysis, "4c": PerturbationAnalysis}
EXAMPLE = Path(__file__).parents[3] / "examples" / "permuted_catch.json"


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("figure", FIGURES)
def test_every_part_is_a_job_spec_that_the_service_takes(figure: str, quick: bool) -> None:
    recipe = load_recipe(figure, quick=quick)
    for spec in recipe.parts.values():
        expected = AssociationSpec if figure == "2" else SupervisedSpec if figure.startswith("3") else ReinforcementSpec
        assert isinstance(JOB_SPEC.validate_python(spec), expected)
    assert (recipe.question is not None) == (figure in QUESTIONS)
    if recipe.question is not None:
        QUESTIONS[figure].model_validate(recipe.question)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_quick_figure_trains_something_else_and_says_so(figure: str) -> None:
    whole, quick = load_recipe(figure), load_recipe(figure, quick=True)
    assert list(whole.parts) == list(quick.parts)
    assert all(spec_sha256(whole.parts[part]) != spec_sha256(quick.parts[part]) for part in whole.parts)
    assert "quick look" in quick.title
    assert "quick" not in whole.title
    assert (whole.stem, quick.stem) == (f"figure-{figure}", f"figure-{figure}-quick")


def test_figures_3a_and_3c_have_the_networks_of_table_s1_and_3c_shorter_training() -> None:
    first = {part: JOB_SPEC.validate_python(spec) for part, spec in load_recipe("3a").parts.items()}
    assert [spec.method.kind for spec in first.values()] == ["ewc", "l2", "naive"]
    for spec in first.values():
        assert (spec.network.hidden_sizes, spec.training.num_epochs, spec.training.learning_rate) == ([400, 400], 20, 1e-3)
        assert len({task.permutation for task in spec.tasks}) == 3
    squares = [JOB_SPEC.validate_python(spec) for spec in load_recipe("3c").parts.values()]
    assert [spec.tasks[1].square for spec in squares] == [8, 26]
    for spec in squares:
        assert (spec.network.hidden_sizes, spec.training.num_epochs, spec.training.learning_rate) == ([100] * 6, 30, 1e-2)


def test_figure_3b_compares_ewc_with_early_stopped_dropout_on_the_same_ten_tasks() -> None:
    ewc, dropout = (JOB_SPEC.validate_python(spec) for spec in load_recipe("3b").parts.values())
    assert (len(ewc.tasks), ewc.tasks, ewc.network) == (10, dropout.tasks, dropout.network)
    assert (dropout.method.input_rate, dropout.method.hidden_rate, dropout.method.patience) == (0.2, 0.5, 5)
    assert ewc.training.num_validation_examples == dropout.training.num_validation_examples == 10000
    assert dropout.training.num_epochs == 100


@pytest.mark.parametrize("quick", [False, True])
def test_figures_of_games_are_made_from_one_job(quick: bool) -> None:
    """Its three figures are three looks at it: it is trained once."""
    assert len({spec_sha256(load_recipe(figure, quick=quick).parts["games"]) for figure in GAMES}) == 1


def test_figures_of_games_train_what_the_example_trains() -> None:
    assert spec_sha256(json.loads(EXAMPLE.read_text())) == spec_sha256(load_recipe("4b").parts["games"])


def test_figure_4c_perturbs_an_agent_of_a_single_game() -> None:
    recipe = load_recipe("4c")
    spec = JOB_SPEC.validate_python(recipe.parts["agent"])
    assert (len(spec.tasks), len(spec.segments)) == (1, 1)
    assert PerturbationAnalysis.model_validate(recipe.question).num_episodes >= 10


def test_the_hash_of_a_spec_is_of_what_it_computes() -> None:
    spec = load_recipe("3a").parts["ewc"]
    assert spec_sha256({**spec, "name": "x", "metadata": {"a": "b"}}) == spec_sha256(dict(reversed(spec.items())))
    assert spec_sha256({**spec, "seed": 1}) != spec_sha256(spec)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ({"si": {"kind": "supervised"}}, "figure 3a has no part 'si'; its parts are ['ewc', 'l2', 'sgd']"),
        ({"ewc": {"kind": "association"}}, "part 'ewc' of figure 3a is a job of kind 'supervised', not 'association'"),
    ],
)
def test_a_spec_for_no_part_or_of_another_kind_is_refused(specs: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(FigureError) as refused:
        load_recipe("3a").with_specs(specs)
    assert str(refused.value) == message
