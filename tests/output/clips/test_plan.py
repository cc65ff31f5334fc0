"""Plans of clips: what is copied can be decoded by itself, and every frame is there once."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from framefind.output.clips.plan import Listed, plan_exact, plan_fast


@st.composite
def streams(draw: st.DrawFn) -> list[Listed]:
    """Packets as encoders write them: groups of a keyframe and runs of B-frames, in order."""
    packets: list[Listed] = []
    time = 0
    for _ in range(draw(st.integers(1, 5))):
        is_open = draw(st.booleans()) and packets
        ahead = draw(st.integers(0, 3)) if is_open else 0
        shown = [time + ahead, *range(time, time + ahead)]
        packets.append(
            Listed(3 * shown[0], True, not is_open, bool(is_open) and draw(st.booleans()))
        )
        packets += [Listed(3 * pts, False, False) for pts in shown[1:]]
        time += ahead + 1
        for _ in range(draw(st.integers(0, 4))):
            run = draw(st.integers(0, 3))
            shown = [time + run, *range(time, time + run)]
            packets += [Listed(3 * pts, False, False) for pts in shown]
            time += run + 1
    return packets


@given(streams(), st.data())
def test_each_frame_is_copied_or_encoded_once(packets, data):
    times = sorted(packet.pts for packet in packets)
    start = data.draw(st.integers(0, times[-1] + 2))
    end = data.draw(st.integers(start + 1, times[-1] + 6))
    plan = plan_exact(packets, start, end)
    assert plan.first == max(t for t in times if t <= start)
    shown = [t for t in times if plan.first <= t < end]
    copies = [packet for number, packet in enumerate(packets) if plan.copies(number)]
    copied = sorted(packet.pts for packet in copies)
    encoded = [t for t in shown if t < plan.head_end or t >= plan.tail_start]
    assert sorted(copied + encoded) == shown
    if copied:
        first = packets[plan.copy_from]
        assert first.resets or first.can_reset
        assert plan.head_count <= plan.copy_until
        early = [n for n, packet in enumerate(packets) if packet.pts < plan.head_end]
        assert max(early, default=-1) < max(plan.head_count, plan.copy_from)
        assert plan.head_end == min(copied)
    needed = [number for number, packet in enumerate(packets) if packet.pts in encoded]
    assert max(needed, default=0) < plan.count
    assert plan.copies_all == (not encoded)
    if copied and plan.tail_start < end:
        assert packets[plan.tail_from].is_keyframe
        assert packets[plan.tail_from].pts <= plan.tail_start
        assert all(packets[n].pts < plan.tail_start for n in range(plan.tail_from))
    assert all(a < b for a, b in pairwise(plan.stamps))
    assert all(dts <= packet.pts for dts, packet in zip(plan.stamps, copies, strict=True))


@given(streams(), st.data())
def test_a_fast_copy_begins_with_a_keyframe_and_holds_all(packets, data):
    times = sorted(packet.pts for packet in packets)
    start = data.draw(st.integers(0, times[-1]))
    end = data.draw(st.integers(start + 1, times[-1] + 6))
    plan = plan_fast(packets, start, end)
    copied = packets[plan.copy_from : plan.copy_until]
    assert copied[0].is_keyframe
    assert copied[0].pts == plan.first <= start
    assert {t for t in times if start <= t < end} <= {packet.pts for packet in copied}
    assert all(packet.pts < plan.end for packet in copied)
