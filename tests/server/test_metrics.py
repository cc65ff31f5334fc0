from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from framefind.server.metrics import Metrics

pytest_plugins = ["serving"]
Sample = tuple[str, frozenset[tuple[str, str]]]
REQUESTS = "framefind_requests_total"


def values(text: str) -> dict[Sample, float]:
    """The samples of an exposition, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


@given(st.lists(st.floats(0, 20), min_size=1))
def test_a_histogram_counts_every_answer_once(times):
    metrics = Metrics()
    for seconds in times:
        metrics.count_answer("/v1/search", "GET", 200, seconds)
    found = values(metrics.exposition().decode())
    name = "framefind_request_seconds_bucket"
    route = "/v1/search"
    assert found[key(name, route=route, le="+Inf")] == len(times)
    assert found[key(name, route=route, le="0.1")] == sum(seconds <= 0.1 for seconds in times)
    buckets = [found[sample] for sample in found if sample[0] == name]
    assert buckets == sorted(buckets)
    assert len(buckets) == 12
    counted = key(REQUESTS, route=route, method="GET", status="200")
    assert found[counted] == len(times)


def test_two_applications_in_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.count_answer("/v1/search", "GET", 200, 0.1)
    assert not [name for name, _ in values(other.exposition().decode()) if name == REQUESTS]


def test_no_series_is_added_to_those_that_are_documented():
    metrics = Metrics()
    metrics.count_answer("/v1/search", "GET", 200, 0.1)
    metrics.add_gauge("framefind_jobs", "Jobs that wait or run.", lambda: 3)
    found = values(metrics.exposition().decode())
    seconds = "framefind_request_seconds"
    assert {name for name, _ in found} == {
        *(f"{seconds}_{part}" for part in ("bucket", "sum", "count")),
        "framefind_jobs",
        REQUESTS,
    }
    assert found[key("framefind_jobs")] == 3


def test_the_server_counts_what_it_answers(api):
    def counted(route: str, status: int) -> Sample:
        return key(REQUESTS, route=route, method="GET", status=str(status))

    before = values(api.get("/metrics").text)
    api.get("/v1/search", params={"q": "a dog"})
    api.get("/v1/search", params={"q": ""})
    api.get("/v1/search?q=a", headers={"Host": "evil.example"})
    after = values(api.get("/metrics").text)
    for status in (200, 422):
        name = counted("/v1/search", status)
        assert after[name] == before.get(name, 0) + 1
    refused = counted("other", 421)
    assert after[refused] == before.get(refused, 0) + 1
    assert after[key("framefind_videos")] == 4
    assert "/v1/videos/" + "0" * 32 not in api.get("/metrics").text
