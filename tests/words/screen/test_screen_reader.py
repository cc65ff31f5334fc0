"""Videos with signs drawn into them become cues: what was read, when, and where."""

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from framefind.video.decode import Video
from framefind.video.frame import Frame, Scaler
from framefind.video.samplers import parse_sampler
from framefind.words.screen import ScreenReader, reader
from media import BLACK, BLUE, GREEN, WHITE, film, plain, sign

EMPTY = plain(WHITE, (640, 360))


def read_film(path):
    """The cues of a video of which each second is sampled."""
    screen = ScreenReader()
    cues = []
    with Video(path) as video:
        for frame in video.frames(parse_sampler("every=1.0")):
            cues += screen.add(frame)
            last = frame
        cues += screen.finish(video.end(last))
    return cues


def read_pictures(*pictures):
    """The cues of pictures, one a second."""
    return read_frames(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        for picture in pictures
    )


def read_frames(frames):
    """The cues of decoded frames, one a second."""
    screen = ScreenReader()
    cues = []
    end = 0.0
    for t, frame in enumerate(frames):
        cues += screen.add(Frame(float(t), frame, Scaler()))
        end = t + 1.0
    return [*cues, *screen.finish(end)]


def texts(cues):
    return [cue.text for cue in cues]


def count_calls(monkeypatch, name):
    """A list to which each call of a function of the reader adds its result."""
    results = []
    function = getattr(reader, name)

    def called(*arguments):
        results.append(list(function(*arguments)))
        return results[-1]

    monkeypatch.setattr(reader, name, called)
    return results


def test_a_sign_is_a_cue_from_its_first_to_its_last_sight(tmp_path):
    pictures = [EMPTY] * 20 + [sign("Laundromat open 24 hours")] * 20 + [EMPTY] * 20
    (cue,) = read_film(film(tmp_path / "a.mp4", size=(640, 360), pictures=pictures))
    assert (cue.start, cue.end) == (2.0, 4.0)
    assert (cue.text, cue.source, cue.language) == ("Laundromat open 24 hours", "screen", "")


def test_the_box_is_where_the_sign_stands():
    (cue,) = read_pictures(sign("Laundromat", at=(320, 180)))
    x, y, width, height = cue.box
    assert 0.45 < x < 0.5 < x + width < 0.75
    assert 0.45 < y < 0.53 < y + height < 0.62


def test_a_sign_that_stays_ends_with_the_video(tmp_path):
    pictures = [sign("Platform 9")] * 25
    (cue,) = read_film(film(tmp_path / "a.mp4", size=(640, 360), pictures=pictures))
    assert (cue.text, cue.start, cue.end) == ("Platform 9", 0.0, 2.5)


def test_each_line_is_a_cue():
    above, below = sign("Breaking news", em=30, at=(60, 60)), sign("Exit 12B", at=(300, 250))
    cues = read_pictures(np.minimum(above, below), above)
    assert [(cue.text, cue.start, cue.end) for cue in cues] == [
        ("Exit 12B", 0.0, 1.0),
        ("Breaking news", 0.0, 2.0),
    ]


@pytest.mark.parametrize(("ink", "paper"), [(WHITE, BLACK), (WHITE, BLUE), (BLACK, GREEN)])
def test_any_colours_are_read(ink, paper):
    assert texts(read_pictures(sign("Gate C27", ink=ink, paper=paper))) == ["Gate C27"]


def test_small_letters_are_read_from_the_sharp_frame():
    picture = sign("Quarterly revenue", (1920, 1080), em=36, at=(900, 700))
    assert texts(read_pictures(picture)) == ["Quarterly revenue"]


def test_small_light_letters_are_not_blurred_where_lines_are_looked_for():
    noise = np.random.default_rng(0).integers(60, 120, (720, 1280, 3), np.uint8)
    picture = Image.fromarray(noise)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((300, 200, 660, 240), "black")
    pen.text((312, 206), "NARROWLY OPEN 24 H", "white", ImageFont.load_default(16))
    (text,) = texts(read_pictures(np.asarray(picture)))
    assert "ROWLYOPEN24H" in text.replace(" ", "")


def test_accents_are_read():
    try:
        ImageFont.truetype("DejaVuSans.ttf", 30)
    except OSError:
        pytest.skip("no font with accents is installed")
    picture = sign("Café Müller, señor Núñez", em=30, font="DejaVuSans.ttf")
    assert texts(read_pictures(picture)) == ["Café Müller, señor Núñez"]


def test_chinese_is_read():
    font = "NotoSansCJK-Regular.ttc"
    try:
        ImageFont.truetype(font, 30)
    except OSError:
        pytest.skip("no font with Chinese is installed")
    assert texts(read_pictures(sign("北京南站", em=40, font=font))) == ["北京南站"]


@pytest.mark.parametrize("turns", [1, 3])
def test_a_line_may_run_upwards_or_downwards(turns):
    assert texts(read_pictures(np.rot90(sign("Rockefeller", em=40), turns))) == ["Rockefeller"]


@pytest.mark.parametrize("degrees", [-25, 12, 30])
def test_a_line_may_be_tilted(degrees):
    picture = Image.fromarray(sign("Boulangerie", em=40, at=(200, 150)))
    tilted = picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=WHITE)
    assert texts(read_pictures(np.asarray(tilted))) == ["Boulangerie"]


def test_a_phone_held_upright_is_read_upright(tmp_path):
    stored = np.ascontiguousarray(np.rot90(sign("Open 24 hours", (360, 640))))
    path = film(tmp_path / "a.mp4", size=(640, 360), pictures=[stored] * 10, rotation=-90)
    (cue,) = read_film(path)
    assert cue.text == "Open 24 hours"
    assert cue.box[1] < 0.25  # near the upper edge, as it was drawn


def test_a_clock_that_goes_on_is_a_new_text():
    cues = read_pictures(sign("12:31:05", em=40), sign("12:31:06", em=40))
    assert [(cue.text, cue.start, cue.end) for cue in cues] == [
        ("12:31:05", 0.0, 1.0),
        ("12:31:06", 1.0, 2.0),
    ]


def test_a_line_that_moves_is_one_cue():
    pictures = [sign("The end", em=40, at=(60, 300 - 80 * i)) for i in range(4)]
    cues = read_pictures(*pictures)
    assert [(cue.text, cue.start, cue.end) for cue in cues] == [("The end", 0.0, 4.0)]


def test_a_line_that_is_misread_for_a_moment_is_one_cue(monkeypatch):
    readings = iter([("Laundromat", 0.97), ("Laundrornat", 0.85), ("Laundromat", 0.9)])
    monkeypatch.setattr(reader, "read_lines", lambda lines, *_: [next(readings) for _ in lines])
    pictures = [sign("Laundromat", at=(60 + i, 100), em=40) for i in range(3)]
    cues = read_pictures(*pictures)
    assert [(cue.text, cue.start, cue.end) for cue in cues] == [("Laundromat", 0.0, 3.0)]


def test_what_is_read_without_confidence_is_no_cue(monkeypatch):
    monkeypatch.setattr(reader, "read_lines", lambda lines, *_: [("Sign", 0.6) for _ in lines])
    assert read_pictures(sign("Sign")) == []


def test_a_frame_that_did_not_change_is_not_searched(monkeypatch):
    searches = count_calls(monkeypatch, "detect_lines")
    picture = sign("Exit 12B")
    noise = np.random.default_rng(0).integers(-2, 3, picture.shape)
    cues = read_pictures(picture, (picture + noise).clip(0, 255).astype(np.uint8), picture)
    assert len(searches) == 1
    assert [(cue.start, cue.end) for cue in cues] == [(0.0, 3.0)]


def test_a_line_that_did_not_change_is_not_read_again(monkeypatch):
    readings = count_calls(monkeypatch, "read_lines")
    pictures = [sign("Exit 12B").copy() for _ in range(4)]
    for i, picture in enumerate(pictures):
        picture[200:300, 100 * i : 100 * i + 80] = BLUE
    assert texts(read_pictures(*pictures)) == ["Exit 12B"]
    assert [text for result in readings for text, _ in result].count("Exit 12B") == 1


def test_a_line_that_is_not_detected_for_a_moment_stays(monkeypatch):
    pictures = [sign("Exit 12B").copy() for _ in range(3)]
    pictures[1][300:] = BLUE
    detect = reader.detect_lines
    searched = []

    def detect_every_other_time(picture):
        searched.append(picture)
        return [] if len(searched) == 2 else detect(picture)

    monkeypatch.setattr(reader, "detect_lines", detect_every_other_time)
    cues = read_pictures(*pictures)
    assert len(searched) == 3
    assert [(cue.text, cue.start, cue.end) for cue in cues] == [("Exit 12B", 0.0, 3.0)]


@pytest.mark.parametrize("size", [(1, 1), (2, 3000), (3000, 2), (16, 16)])
def test_frames_of_any_shape_are_read(size):
    assert read_pictures(plain(BLACK, size), plain(WHITE, size)) == []


def test_a_sign_on_an_8k_frame_is_read():
    brightness = Image.fromarray(sign("Platform 9", (768, 432), em=30)).convert("L")
    luma = np.asarray(brightness.resize((7680, 4320), Image.Resampling.NEAREST))
    grey = np.full((2160, 7680), 128, np.uint8)  # both planes of colour
    frame = av.VideoFrame.from_ndarray(np.concatenate([luma, grey]), format="yuv420p")
    assert texts(read_frames([frame])) == ["Platform 9"]


def test_noise_is_no_text():
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (360, 640, 3), np.uint8) for _ in range(3)]
    assert read_pictures(*pictures) == []
