"""Subtitle files beside a video: which are its own, what they hold, and broken ones."""

import codecs
import os
from pathlib import Path

import pytest

from framefind.errors import WordsError
from framefind.words import sidecars
from framefind.words.cues import tidy_cues
from framefind.words.sidecars import Sidecars, describe_sidecars, find_videos, read_sidecar

SRT = """1
00:00:01,000 --> 00:00:02,500
<font color="red">Where</font> is the <b>laundromat</b>?

2
00:00:03,000 --> 00:00:04,000
- Here.
- There.
"""
VTT = """WEBVTT

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start
<v Anna><00:00:01.500>Where is the laundromat?

NOTE not to be read

the answer
00:03.000 --> 00:04.000
- Here.
- There.
"""
ASS = r"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\i1}Where{\i0} is the laundromat?
Dialogue: 1,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\p1}m 0 0 l 100 0 100 100{\p0}
Comment: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,not to be read
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,- Here.\N- There.
"""
SSA = ASS.replace("v4.00+", "v4.00").replace("V4+", "V4").replace("Layer", "Marked")
TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml"><body><div>
<p begin="00:00:01.000" end="00:00:02.500">Where is the laundromat?</p>
<p begin="00:00:03.000" end="00:00:04.000">- Here.<br/>- There.</p>
</div></body></tt>
"""
SEQUENCE = """<tt xmlns="http://www.w3.org/ns/ttml"><body><div timeContainer="seq">
<div begin="1s"><p dur="1.5s">Where is the laundromat?</p></div>
<p begin="0.5s" end="1.5s">- Here.<br/>- There.</p>
</div></body></tt>
"""
SAMI = """<SAMI><HEAD><STYLE TYPE="text/css"><!-- .ENCC { lang: en-US; } --></STYLE></HEAD><BODY>
<SYNC Start=1000><P Class=ENCC>Where is the laundromat?
<SYNC Start=2500><P Class=ENCC>&nbsp;
<SYNC Start=3000><P Class=ENCC>- Here.<br>- There.
<SYNC Start=4000><P Class=ENCC>&nbsp;
</BODY></SAMI>
"""
MPL2 = "[10][25]Where is the laundromat?\n[30][40]- Here.|- There.\n"
SUBVIEWER = """[SUBTITLE]
00:00:01.00,00:00:02.50
Where is the laundromat?

00:00:03.00,00:00:04.00
- Here.[br]- There.
"""
MICRODVD = "{25}{62}{y:i}Where is the laundromat?\n{75}{100}- Here.|- There.\n"


def read(path: Path, fps: float | None = None) -> list[tuple[float, float, str]]:
    cues = tidy_cues(read_sidecar(path, fps=fps))
    return [(cue.start, cue.end, cue.text) for cue in cues]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("srt", SRT),
        ("vtt", VTT),
        ("ass", ASS),
        ("ssa", SSA),
        ("ttml", TTML),
        ("smi", SAMI),
        ("sub", MICRODVD),
    ],
)
def test_each_format(tmp_path: Path, suffix: str, content: str) -> None:
    path = tmp_path / f"film.{suffix}"
    path.write_text(content)
    first, second = read(path, fps=25)
    assert first == pytest.approx((1.0, 2.5, "Where is the laundromat?"), abs=0.03)
    assert second == pytest.approx((3.0, 4.0, "- Here.\n- There."))


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("srt", VTT),
        ("srt", ASS),
        ("vtt", SRT),
        ("sub", SRT),
        ("sub", MPL2),
        ("srt", TTML),
        ("srt", SRT.replace("\n", "\r")),
        ("srt", SRT.replace("\n", "\r\n")),
        ("vtt", VTT.replace("not to be read", "not to be read, a --> b")),
        ("dfxp", TTML.replace("/ns/ttml", "/2006/10/ttaf1")),
        ("itt", SEQUENCE),
        ("sub", "{1}{1}25\n" + MICRODVD),
        ("sub", SUBVIEWER),
    ],
)
def test_what_a_file_holds_counts_more_than_its_suffix(
    tmp_path: Path, suffix: str, content: str
) -> None:
    path = tmp_path / f"film.{suffix}"
    path.write_bytes(content.encode())
    first, second = read(path, fps=50)
    assert first == pytest.approx((1.0, 2.5, "Where is the laundromat?"), abs=0.03)
    assert second == pytest.approx((3.0, 4.0, "- Here.\n- There."))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "Où est la laverie ?"),
        ("utf-16", "Où est la laverie ?"),
        ("utf-16-le", "Où est la laverie ?"),
        ("utf-16-be", "Où est la laverie ?"),
        ("cp1252", "Où est la laverie près d’ici, s’il vous plaît ? C’était l’été."),
        ("cp1251", "Скажите, пожалуйста, где здесь ближайшая прачечная?"),
        ("cp1256", "مرحبا، أين محطة القطار؟ أريد أن أشتري تذكرة."),
        ("shift-jis", "すみません、駅はどこですか。東京へ行きたいです。"),
        ("gb18030", "你好，请问火车站在哪里？我想去买一张票。谢谢你的帮助。"),
        ("big5", "請問最近的洗衣店在哪裡？謝謝你。"),
        ("euc-kr", "가장 가까운 세탁소가 어디입니까? 감사합니다."),
        ("euc-jp", "一番近いコインランドリーはどこですか。"),
        ("koi8-r", "Где ближайшая прачечная? Скажите, пожалуйста."),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Šťastné a veselé."),
        ("cp1253", "Πού είναι το πλησιέστερο πλυντήριο παρακαλώ;"),
        ("cp1255", "איפה המכבסה הקרובה בבקשה? תודה רבה."),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / ("film.fr.srt" if encoding == "cp1252" else "film.srt")
    path.write_bytes(SRT.replace("- Here.", text).encode(encoding))
    assert read(path)[1][2] == f"{text}\n- There."


def test_french_without_a_name_of_its_language_is_not_taken_for_czech(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_bytes(SRT.replace("- Here.", "Où ça ? Très bien, merci à vous.").encode("cp1252"))
    assert read(path)[1][2] == "Où ça ? Très bien, merci à vous.\n- There."


def test_a_broken_character_of_utf8_costs_no_more_than_itself(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_bytes(SRT.replace("- Here.", "é" * 200).encode() + b"\n3\n0:0:5,0 --> 0:0:6,0\n\xe9")
    assert [text for _, _, text in read(path)][1:] == ["é" * 200 + "\n- There.", "\ufffd"]


def test_two_languages_of_sami_in_one_moment_are_two_cues(tmp_path: Path) -> None:
    path = tmp_path / "film.smi"
    path.write_text(
        SAMI.replace("-->", ".KRCC { Name: Korean; lang: ko-KR; } -->")
        .replace("laundromat?\n", "laundromat?\n<P Class=KRCC>세탁소가 &lt;어디&gt;?\n")
        .replace("<SYNC Start=4000>", "<SYNC Start=3500><P Class=KRCC>&nbsp;\n<SYNC Start=4000>")
    )
    cues = [(cue.start, cue.end, cue.text, cue.language) for cue in tidy_cues(read_sidecar(path))]
    assert sorted(cues) == [
        (1.0, 2.5, "Where is the laundromat?", "en-US"),
        (1.0, 3.5, "세탁소가 <어디>?", "ko-KR"),
        (3.0, 4.0, "- Here.\n- There.", "en-US"),
    ]


ODD = """5
00:00:05,000 --> 00:00:06,000
late

6
-00:00:02,000 --> 00:00:01,500
before

7
123:00:00,000 --> 123:00:01,000 X1:10 X2:20
far

8
00:00:03,000 -> 00:00:03,000
no length

and a blank line
00:00:04.5 --> 00:00:05.25
no number

9
00:00:07,000 --> 00:00:08,000
1984

10
00:00:09,000 -->"""


def test_odd_times_and_lines_of_subrip(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text(ODD)
    assert read(path) == [
        (0.0, 1.5, "before"),
        (3.0, 3.0, "no length\nand a blank line"),
        (4.5, 5.25, "no number"),
        (5.0, 6.0, "late"),
        (7.0, 8.0, "1984"),
        (442800.0, 442801.0, "far"),
    ]


def test_a_broken_line_of_ass_costs_no_more_than_itself(tmp_path: Path) -> None:
    path = tmp_path / "film.ass"
    path.write_text(ASS.replace("Dialogue: 1,0:00:01.00", "Dialogue: 1,soon") + "Dialogue: 0,0:0")
    assert [text for _, _, text in read(path)] == ["Where is the laundromat?", "- Here.\n- There."]
    path.write_text(ASS.replace("0:00:03.00,0:00:04.00", "100:00:03.00,100:00:04.00"))
    assert read(path)[1][0] == 360003.0


def test_codes_and_rates_of_microdvd(tmp_path: Path) -> None:
    path = tmp_path / "film.sub"
    path.write_text("{0}{0}25.000\n{25}{50}{c:$00ff00}{s:12}/one|/two\n{75}{}no end\n")
    assert read(path) == [(1.0, 2.0, "one\ntwo"), (3.0, 3.0, "no end")]


def describe(video: Path) -> str:
    return describe_sidecars(Sidecars().find(video) or ())


def test_which_files_are_a_videos_own(tmp_path: Path) -> None:
    own = [
        *("Film.srt", "film.en.vtt", "film.pt-BR.ass", "film.English.SDH.srt", "film.forced.srt"),
        *("film.en-forced.srt", "film.pt-BR_sdh.srt"),
        *("film.zh-Hans.srt", "film.eng.hi.srt"),
    ]
    others = [
        *("film.mp4", "film2.srt", "film.part2.srt", "film.txt", "fil.srt", ".film.srt"),
        *("film.en.srt.bak", "film.2.en.srt", "filmen.srt"),
    ]
    for name in own + others:
        (tmp_path / name).touch()
    found = Sidecars().find(tmp_path / "film.mp4")
    assert found is not None
    assert sorted(file.name for file in found) == sorted(own)
    assert Sidecars().find(tmp_path / "nowhere" / "film.mp4") == []


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("film.srt", ""),
        ("film.en.srt", "en"),
        ("film.ger.forced.srt", "de"),
        ("film.pt-br.srt", "pt-BR"),
        ("film.zh-hans.sdh.srt", "zh-Hans"),
        ("film.en-forced.srt", "en"),
        ("film.pt-BR_sdh.srt", "pt-BR"),
        ("film.Spanish.srt", "es"),
        ("a.film.srt", ""),
    ],
)
def test_the_language_in_a_name(tmp_path: Path, name: str, language: str) -> None:
    path = tmp_path / name
    path.write_text(SRT)
    assert {cue.language for cue in read_sidecar(path)} == {language}


def test_the_files_that_subtitles_may_belong_to(tmp_path: Path) -> None:
    for name in ("Film.mp4", "film.en.mkv", "other.mp4", "film.srt"):
        (tmp_path / name).touch()
    gone = [tmp_path / name for name in ("FILM.en.srt", "film.en.mkv", "nothing.vtt", ".srt")]
    paths = [*map(str, gone), str(tmp_path / "nowhere" / "other.srt")]
    assert find_videos(paths) == {str(tmp_path / "Film.mp4"), str(tmp_path / "film.en.mkv")}


def test_the_description_changes_with_the_files(tmp_path: Path) -> None:
    video = tmp_path / "film.mp4"
    path = tmp_path / "film.srt"
    assert describe(video) == ""
    path.write_text(SRT)
    first = describe(video)
    assert len(first) == 8
    assert describe(video) == first
    os.utime(path, ns=(1, 1))
    second = describe(video)
    path.write_text(SRT + "\n")
    third = describe(video)
    assert len({first, second, third}) == 3


@pytest.mark.parametrize(
    ("suffix", "data", "reason"),
    [
        ("srt", b"", "holds no cue"),
        ("srt", b"\xff\xd8\xff\xe0 a picture", "holds no cue"),
        ("vtt", b"WEBVTT\n\nno time at all\n", "holds no cue"),
        ("ttml", b"<tt><body><p begin='00:00:01.000'", "broken, or no subtitles"),
        ("ttml", b"<tt><body><p begin='soon'>now</p></body></tt>", "'soon' is no time"),
        ("ttml", b"<tt><body><p begin='1s'></p></body></tt>", "holds no cue"),
        ("ass", b"[Script Info]\n", "broken, or no subtitles"),
        ("sub", b"\x00\x00\x01\xba\x44\x00", "VobSub"),
        ("sub", b"{25}{62}what frame rate?\n", "broken, or no subtitles"),
        ("srt", codecs.BOM_UTF16_LE + b"1", "holds no cue"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, suffix: str, data: bytes, reason: str) -> None:
    path = tmp_path / f"film.{suffix}"
    path.write_bytes(data)
    with pytest.raises(WordsError, match=rf"film\.{suffix} .*{reason}"):
        list(read_sidecar(path))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    with path.open("wb") as file:
        file.truncate(sidecars.MAX_BYTES + 1)
    with pytest.raises(WordsError, match="larger than 16 MiB"):
        list(read_sidecar(path))


def test_a_folder_with_the_name_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "film.srt").mkdir()
    with pytest.raises(WordsError, match=r"film\.srt .*directory"):
        list(read_sidecar(tmp_path / "film.srt"))
