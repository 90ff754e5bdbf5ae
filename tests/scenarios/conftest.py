"""A scenario plays on the write path, or on every stage that `plays_on` names."""

from collections.abc import Iterator

import pytest

from tests.scenarios.over_http import OverHttp
from tests.scenarios.pure import Pure
from tests.scenarios.stage import Stage
from tests.scenarios.write_path import WritePath


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each stage."""
    if "stage" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("plays_on")
        stages: tuple[type[Stage], ...] = mark.kwargs["stages"] if mark else (WritePath,)
        names = [kind.__name__ for kind in stages]
        metafunc.parametrize("stage", stages, indirect=True, ids=names)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A new book without a policy."""
    kind: type[WritePath | OverHttp | Pure] = request.param
    fresh = () if kind is Pure else (request.getfixturevalue("fresh_book"),)
    running: Stage = kind(*fresh)
    yield running
    running.close()
