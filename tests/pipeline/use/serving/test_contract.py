"""The API does what its OpenAPI document says, whatever it is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from pipeline.use.serving.app import app_of
from pipeline.use.serving.service import Service
from tests.support.served import HOSTS, MadeUp

BOUNDED = settings(
    max_examples=25, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)
PATHS = {
    "/predict": "POST", "/predict/batch": "POST", "/explain": "POST", "/model": "GET",
    "/card": "GET", "/health": "GET", "/metrics": "GET",
}


@pytest.fixture(scope="module")
def api():
    with Service(MadeUp()) as service:
        yield schemathesis.openapi.from_asgi("/openapi.json", app_of(service, HOSTS))


def test_all_that_is_documented_is_tested(api):
    operations = [operation.ok() for operation in api.get_all_operations()]
    assert {operation.path: operation.method.upper() for operation in operations} == PATHS


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", [path for path in PATHS if PATHS[path] == "POST"])
def test_what_the_document_allows_or_forbids_gets_an_answer_that_it_names(api, path, mode):
    # All that a form holds is text: a number where a text is asked for is a text.
    excluded = [negative_data_rejection] if path != "/predict/batch" else []

    @BOUNDED
    @given(case=api[path][PATHS[path]].as_strategy(generation_mode=mode))
    def answers_as_documented(case):
        case.call_and_validate(excluded_checks=excluded)

    answers_as_documented()


@pytest.mark.parametrize("path", [path for path in PATHS if PATHS[path] == "GET"])
def test_what_is_only_read_answers_as_documented(api, path):
    api[path]["GET"].Case().call_and_validate()
