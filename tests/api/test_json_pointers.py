"""Pointers lead to the refused value in the body as the client wrote it."""

from __future__ import annotations

import pytest

from api.json_pointers import pointer, pointer_of_field, problem_item

BODY = {
    "method": {"kind": "ewc", "ewc_lambda": -1},
    "network": {"hidden_sizes": [10**9]},
    "tasks": [{"dataset": "x"}, {"dataset": "y"}],
}


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (("body", "method", "ewc", "ewc_lambda"), "/method/ewc_lambda"),
        (("body", "network", "hidden_sizes", 0), "/network/hidden_sizes/0"),
        (("body", "tasks", 1, "dataset"), "/tasks/1/dataset"),
        (("body", "missing"), "/missing"),
        (("body", "method", "ewc", "missing"), "/method/missing"),
        (("body", "method", "ewc"), "/method"),
        (("body", "supervised", "tasks", 1, "permuted", "dataset", "builtin"), "/tasks/1/dataset"),
        (("body", "supervised", "network", "mlp", "hidden_sizes", 0), "/network/hidden_sizes/0"),
        (("body", "supervised"), ""),
        (("body",), ""),
    ],
)
def test_a_location_becomes_a_pointer_without_the_tag_of_the_union(location, expected):
    assert problem_item({"loc": location, "type": "some_type", "msg": "no"}, BODY).pointer == expected


def test_the_members_of_a_union_of_plain_values_are_no_places():
    error = {"loc": ("body", "search", "a.b", "choices", "values", 0, "bool"), "type": "bool_type", "msg": "no"}
    body = {"search": {"a.b": {"kind": "choices", "values": [None]}}}
    assert problem_item(error, body).pointer == "/search/a.b/values/0"


def test_a_missing_field_is_named_even_when_a_tag_has_its_name():
    error = {"loc": ("body", "supervised", "method", "ewc", "ewc"), "type": "missing", "msg": "no"}
    assert problem_item(error, BODY).pointer == "/method/ewc"


def test_a_check_over_several_fields_points_to_the_field_that_its_message_starts_with():
    error = {"loc": ("body",), "type": "value_error", "msg": "Value error, tasks.1.dataset: 'y' has 784 features"}
    item = problem_item(error, BODY)
    assert (item.pointer, item.detail) == ("/tasks/1/dataset", "'y' has 784 features")


def test_a_value_that_no_member_of_a_union_has_is_pointed_to_where_it_is_given():
    body = {"tasks": [{"kind": "sorted"}, "digits"]}
    pointers = [
        problem_item({"loc": ("body", "supervised", "tasks", index), "type": "task_kind", "msg": "no"}, body).pointer
        for index in range(2)
    ]
    assert pointers == ["/tasks/0/kind", "/tasks/1"]


def test_a_check_on_a_field_that_the_body_leaves_out_points_to_what_it_would_be_in():
    error = {"loc": ("body", "supervised"), "type": "value_error", "msg": "Value error, network.channels [16, 32] halve"}
    assert problem_item(error, {"network": {"kind": "conv"}}).pointer == "/network"


def test_a_message_that_starts_with_no_field_points_to_the_place_of_the_check():
    assert problem_item({"loc": ("body",), "type": "value_error", "msg": "Value error, there are too many"}, BODY).pointer == ""


def test_a_query_parameter_is_named_and_has_no_pointer():
    item = problem_item({"loc": ("query", "limit"), "type": "less_than_equal", "msg": "no"}, None)
    assert (item.parameter, item.pointer) == ("limit", None)


def test_pointers_escape_slashes_and_tildes():
    assert pointer(["a/b", "~c", 0]) == "/a~1b/~0c/0"


def test_a_field_is_pointed_to_as_far_as_the_body_has_it():
    assert pointer_of_field("tasks.1.dataset", BODY) == "/tasks/1/dataset"
    assert pointer_of_field("tasks.1.dataset.path", BODY) == "/tasks/1/dataset"
    assert pointer_of_field("heads.num_outputs", BODY) == pointer_of_field("", BODY) == pointer_of_field("task", None) == ""
    assert pointer_of_field("search.a.b", {"search": {"a.b": {}}}) == "/search/a.b"
    assert pointer_of_field("/a~1b", BODY) == "/a~1b"
