"""Requests generated from the service's own OpenAPI document: none of them makes it fail, and no
answer differs from what the document says."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from domain.catalogue import COMMANDS
from tests.api.conftest import Tenant

CHECKS = (
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


GENERATED = settings(
    max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def test_generated_requests(tenant: Tenant) -> None:
    document = tenant.http.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema = schema.exclude(path_regex="^/(health|metrics)").exclude(operation_id="send_commands")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > len(COMMANDS) + 5
    for operation in operations:

        @GENERATED
        @given(case=operation.as_strategy())
        def sent(case: schemathesis.Case) -> None:
            _send(tenant, case)

        sent()


def _send(tenant: Tenant, case: schemathesis.Case) -> None:
    case.path_parameters["book"] = tenant.book.name
    headers = {"Authorization": f"Bearer {tenant.caller().key}", "Prefer": "wait=0"}
    response = case.call(base_url=str(tenant.http.base_url), headers=headers)
    if response.status_code == 503:  # it asked for a position that is not there yet
        assert {"min_position", "position"} & set(case.query or ())
        return
    case.validate_response(response, checks=CHECKS)
