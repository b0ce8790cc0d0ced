"""The OpenAPI document: committed, complete, and with working examples."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from api.analyses.schemas import AnalysisRequest
from api.app import create_app
from api.openapi import FILE, text
from api.settings import ApiSettings
from api.task_switches.schemas import TaskSwitchRequest
from ewc_core.specs import JOB_SPEC, CheckedSpec, SweepSpec

OPERATIONS = {
    "create_job", "create_job_check", "list_jobs", "get_job", "change_job", "cancel_job", "pause_job", "resume_job", "retry_job",
    "create_task_switch", "list_task_switches", "list_tasks", "list_events", "get_metrics", "get_matrix",
    "list_checkpoints", "get_checkpoint", "download_checkpoint", "list_snapshots", "get_catalogue", "list_workers",
    "get_result", "create_analysis", "list_analyses", "list_attempts", "reweight_task", "forget_task",
    "create_sweep", "list_sweeps", "get_sweep", "cancel_sweep",
    "create_api_key", "list_api_keys", "revoke_api_key", "get_health", "get_readiness", "get_version", "get_problem_type",
}  # fmt: skip


@pytest.fixture(scope="module")
def document():
    return create_app(ApiSettings()).openapi()


def _operations(document) -> dict[str, dict]:
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


def test_the_committed_document_is_that_of_the_app():
    assert FILE.read_text(encoding="utf-8") == text(create_app(ApiSettings())), "run: python -m api.openapi"


def test_operation_ids_are_stable(document):
    assert set(_operations(document)) == OPERATIONS


def test_every_operation_has_a_tag_a_description_and_typed_problems(document):
    assert document["openapi"] >= "3.1"
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in _operations(document).items():
        assert set(operation["tags"]) <= tags, name
        assert operation["description"], name
        problems = [response for status, response in operation["responses"].items() if status >= "4"]
        assert problems, name
        assert all(list(problem["content"]) == ["application/problem+json"] for problem in problems), name


def test_every_reference_leads_somewhere(document):
    schemas = document["components"]["schemas"]
    references = _references(document)
    assert len(set(references)) > 50
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_every_post_takes_an_idempotency_key_and_every_v1_operation_an_api_key(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
            assert ("idempotency-key" in names) == (method == "post"), path
            assert bool(operation.get("security")) == path.startswith("/v1"), path


def test_the_examples_of_requests_are_valid(document):
    operations = _operations(document)
    requests = {
        "create_job": JOB_SPEC,
        "create_job_check": TypeAdapter(CheckedSpec),
        "create_task_switch": TypeAdapter(TaskSwitchRequest),
        "create_analysis": TypeAdapter(AnalysisRequest),
        "create_sweep": TypeAdapter(SweepSpec),
    }
    for name, adapter in requests.items():
        examples = operations[name]["requestBody"]["content"]["application/json"]["examples"]
        assert examples
        for example in examples.values():
            adapter.validate_python(example["value"])
    jobs = operations["create_job"]["requestBody"]["content"]["application/json"]["examples"].values()
    assert {example["value"].get("kind", "supervised") for example in jobs} == {
        *("supervised", "association", "analysis", "check")
    }
    switches = operations["create_task_switch"]["requestBody"]["content"]["application/json"]["examples"].values()
    assert {example["value"]["action"] for example in switches} == {"append", "revisit", "switch_now", "close"}


def test_no_object_is_a_default_beside_a_reference_or_a_union(document):
    """Generators of clients leave out the whole operation, or make one that cannot be imported."""
    found = [part for part in _objects(document) if part.keys() & {"$ref", "oneOf", "anyOf", "allOf"}]
    assert not [part for part in found if isinstance(part.get("default"), dict)]
    network = document["components"]["schemas"]["SupervisedSpec"]["properties"]["network"]
    assert '{"kind": "mlp", "hidden_sizes": [100, 100]}' in network["description"]


def test_the_field_that_tells_members_of_a_union_apart_is_required_in_each_of_them(document):
    schemas = document["components"]["schemas"]
    unions = [part["discriminator"] for part in _objects(document) if isinstance(part.get("discriminator"), dict)]
    assert len(unions) > 5
    for union in unions:
        for tag, reference in union["mapping"].items():
            member = schemas[reference.removeprefix("#/components/schemas/")]
            assert union["propertyName"] in member["required"]
            assert member["properties"][union["propertyName"]]["const"] == tag


def test_names_stay_apart_when_a_generator_keeps_only_their_letters_and_digits(document):
    schemas = document["components"]["schemas"]
    operations = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    for names in (schemas, operations):
        assert len({"".join(filter(str.isalnum, name)).lower() for name in names}) == len(names)


def _objects(value) -> list[dict]:
    if isinstance(value, list):
        return [part for child in value for part in _objects(child)]
    return [value, *_objects(list(value.values()))] if isinstance(value, dict) else []


def _references(value) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [reference for child in value.values() for reference in _references(child)]
    return [reference for child in value for reference in _references(child)] if isinstance(value, list) else []
