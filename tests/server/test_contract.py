"""The API keeps its own description, whatever it is asked: schemathesis tries."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import CHECKS
from serving import Site, serve

import framefind
from framefind.server.app import create_app
from framefind.server.security import Access

API = create_app(framefind.open("none.framefind"), Access()).openapi()
SCHEMA = schemathesis.openapi.from_dict(API)
OPERATIONS = [(path, method) for path, methods in API["paths"].items() for method in methods]
WITHOUT = [
    check
    for check in CHECKS.get_all()
    if check.__name__ == "positive_data_acceptance"  # what makes sense together cannot be described
]


@pytest.fixture(scope="module")
def site(shared_library: framefind.Library, tmp_path_factory) -> Iterator[Site]:
    """A server that can index nothing."""
    empty = tmp_path_factory.mktemp("nothing")
    with serve(shared_library.uri, "--allow-root", str(empty)) as site:
        yield site


@pytest.fixture(scope="module")
def video_id(site: Site) -> str:
    with site.client() as client:
        return client.get("/v1/videos").json()["videos"][0]["video_id"]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_does_what_it_says(site: Site, video_id: str, path: str, method: str):
    @given(SCHEMA[path][method].as_strategy())
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(case: Case) -> None:
        if "video_id" in case.path_parameters and len(str(case.query)) % 2:
            case.path_parameters["video_id"] = video_id
        address = f"http://127.0.0.1:{site.port}"
        case.call_and_validate(address, excluded_checks=WITHOUT, timeout=60)

    holds()
