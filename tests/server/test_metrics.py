from hypothesis import given
from hypothesis import strategies as st

from framefind.server.metrics import Metrics

pytest_plugins = ["serving"]


def values(text: str) -> dict[str, float]:
    """The samples of an exposition."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


@given(st.lists(st.floats(0, 20), min_size=1))
def test_a_histogram_counts_every_answer_once(times):
    metrics = Metrics()
    for seconds in times:
        metrics.count("/v1/search", "GET", 200, seconds)
    found = values("\n".join(metrics.lines()))
    name = 'framefind_request_seconds_bucket{route="/v1/search",le="%s"}'
    assert found[name % "+Inf"] == len(times)
    assert found[name % "0.1"] == sum(seconds <= 0.1 for seconds in times)
    buckets = [found[key] for key in found if "_bucket" in key]
    assert buckets == sorted(buckets)


def test_the_server_counts_what_it_answers(api):
    name = 'framefind_requests_total{route="/v1/search",method="GET",status="%s"}'
    before = values(api.get("/metrics").text)
    api.get("/v1/search", params={"q": "a dog"})
    api.get("/v1/search", params={"q": ""})
    api.get("/v1/search?q=a", headers={"Host": "evil.example"})
    after = values(api.get("/metrics").text)
    for status in (200, 422):
        assert after[name % status] == before.get(name % status, 0) + 1
    refused = 'framefind_requests_total{route="other",method="GET",status="421"}'
    assert after[refused] == before.get(refused, 0) + 1
    assert after["framefind_videos"] == 4
    assert "/v1/videos/" + "0" * 32 not in api.get("/metrics").text
