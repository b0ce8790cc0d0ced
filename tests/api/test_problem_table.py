"""One table: every error of the tree has its status, every code its page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import api.app  # noqa: F401 registers every error class that the service can raise
from api import problem_pages
from api.problems import BY_CODE, OF_ERROR, OF_STATUS, members_of, type_of
from ewc_core.errors import EwcError, IllegalTransition, StreamClosed


def _tree(error: type[EwcError]) -> Iterator[type[EwcError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


PRODUCT = [error for error in _tree(EwcError) if error.__module__.split(".")[0] in {"api", "ewc_core", "store"}]


@pytest.mark.parametrize("error", PRODUCT, ids=lambda error: error.__name__)
def test_every_error_class_has_a_row_or_shares_its_code_with_one(error):
    assert error in OF_ERROR or any(
        base.code == error.code and base in OF_ERROR for base in error.__mro__[1:] if hasattr(base, "code")
    )


def test_every_row_is_a_class_of_the_tree_and_carries_its_code():
    assert set(OF_ERROR) <= set(PRODUCT)
    assert all(problem.code == error.code for error, problem in OF_ERROR.items())


def test_codes_are_unique():
    codes = [problem.code for problem in [*OF_ERROR.values(), *OF_STATUS.values()]]
    assert len(codes) == len(set(codes))


def test_an_unlisted_class_gets_the_row_of_its_nearest_base():
    class Special(IllegalTransition):
        pass

    assert type_of(Special("job_1", "queued", "running", ["starting"])).status == 409


def test_illegal_moves_and_closed_streams_carry_what_is_allowed():
    assert members_of(IllegalTransition("job_1", "paused", "running", ["queued"])) == {"allowed": ["queued"]}
    assert members_of(StreamClosed("job_1", "running", ["cancel"])) == {"allowed": ["cancel"]}


def test_the_documentation_page_is_the_table():
    page = problem_pages.FILE.read_text(encoding="utf-8")
    assert page == problem_pages.text(), "run: python -m api.problem_pages"
    assert all(f"\n## {code}\n" in page for code in BY_CODE)
