from framefind.counts import write_count


def test_one_has_no_s() -> None:
    assert write_count(1, "video") == "1 video"
    assert write_count(0, "video") == "0 videos"
    assert write_count(1, "query", "queries") == "1 query"
    assert write_count(2, "query", "queries") == "2 queries"
