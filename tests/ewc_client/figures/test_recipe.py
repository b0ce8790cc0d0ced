"""What the figures train: the paper's settings, and quick variants of them."""

from __future__ import annotations

import pytest

from ewc_client.errors import FigureError
from ewc_client.figures import load_recipe
from ewc_client.figures.recipe import spec_sha256
from ewc_core.specs import JOB_SPEC, AssociationSpec, OverlapAnalysis, SupervisedSpec

FIGURES = ("2", "3a", "3b", "3c")


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("figure", FIGURES)
def test_every_part_is_a_job_spec_that_the_service_takes(figure: str, quick: bool) -> None:
    recipe = load_recipe(figure, quick=quick)
    for spec in recipe.parts.values():
        assert isinstance(JOB_SPEC.validate_python(spec), AssociationSpec if figure == "2" else SupervisedSpec)
    assert (recipe.question is not None) == (figure == "3c")
    if recipe.question is not None:
        OverlapAnalysis.model_validate(recipe.question)


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
