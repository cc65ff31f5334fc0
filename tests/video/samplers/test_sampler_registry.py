import pytest

from framefind.video.samplers import parse_sampler


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("every=1", "every=1.0"),
        ("every=0.5", "every=0.5"),
        ("every=.5", "every=0.5"),
        ("every=2.", "every=2.0"),
        ("count=10", "count=10"),
        ("count=010", "count=10"),
        ("count=10,random=0", "count=10,random=0"),
        ("keyframes", "keyframes"),
        ("shots", "shots"),
    ],
)
def test_names_are_canonical(text: str, name: str) -> None:
    sampler = parse_sampler(text)
    assert sampler.name == name
    assert parse_sampler(name) == sampler


@pytest.mark.parametrize(
    "text",
    ["", "every", "every=0", "every=-1", "every=nan", "every=inf", "every=1e3", "count=0",
     "count=1.5", "count=3,random=", "count=3,random=-1", "random=1", "Keyframes", "shots=2"],
)  # fmt: skip
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="use every=SECONDS"):
        parse_sampler(text)


@pytest.mark.parametrize(
    ("name", "splittable", "spacing", "max_frames", "estimate"),
    [
        ("every=2", True, 2.0, None, 30),
        ("every=100", True, 100.0, None, 1),
        ("count=7", False, 0.0, 7, 7),
        ("count=7,random=1", False, 0.0, 7, 7),
        ("keyframes", True, 0.0, None, 30),
        ("shots", False, 0.0, None, 12),
    ],
)
def test_what_a_sampler_says_of_a_minute(
    name: str, splittable: bool, spacing: float, max_frames: int | None, estimate: int
) -> None:
    sampler = parse_sampler(name)
    assert sampler.splittable == splittable
    assert sampler.spacing == spacing
    assert sampler.max_frames == max_frames
    assert sampler.estimate_frames(60.0) == estimate
