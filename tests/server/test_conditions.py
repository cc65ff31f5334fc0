from starlette.datastructures import Headers

from framefind.server.conditions import allows_range, is_unmodified, matches_etag

NOON = "Sun, 29 Nov 2026 12:00:00 GMT"
NOON_SECONDS = 1_795_953_600.0


def test_an_etag_matches_strong_and_weak_ones_and_the_star():
    assert matches_etag('"a", W/"b"', '"b"')
    assert matches_etag("*", '"b"')
    assert not matches_etag('"bb"', '"b"')


def test_the_etag_decides_before_the_time():
    headers = Headers({"If-None-Match": '"old"', "If-Modified-Since": NOON})
    assert not is_unmodified(headers, '"new"', NOON_SECONDS)
    assert is_unmodified(headers, '"old"', NOON_SECONDS + 60)


def test_a_fraction_of_a_second_is_no_change():
    headers = Headers({"If-Modified-Since": NOON})
    assert is_unmodified(headers, '"a"', NOON_SECONDS + 0.9)
    assert not is_unmodified(headers, '"a"', NOON_SECONDS + 1)
    for nonsense in ("", "yesterday", "Sun, 99 Nov 2026 12:00:00 GMT"):
        assert not is_unmodified(Headers({"If-Modified-Since": nonsense}), '"a"', NOON_SECONDS)


def test_a_range_of_another_version_is_not_sent():
    assert allows_range(Headers(), '"a"', NOON)
    for condition, is_allowed in [('"a"', True), (NOON, True), ('"b"', False), ('W/"a"', False)]:
        assert allows_range(Headers({"If-Range": condition}), '"a"', NOON) is is_allowed
