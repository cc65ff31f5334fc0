import pytest

from framefind import Library, QueryError
from framefind.search.filters import VideoNames
from framefind.types import Video


def names(*paths: str, **ids: list[str]) -> VideoNames:
    """Names of a video per path, each its own id; and of videos by id with their copies."""
    videos = [Video(video_id=f"id of {path}", path=path) for path in paths]
    videos += [Video(video_id=key, path=own[0], copies=own[1:]) for key, own in ids.items()]
    return VideoNames(videos)


def paths(found: dict[str, list[str]]) -> list[str]:
    return [path for own in found.values() for path in own]


class TestMatch:
    def test_an_id_stands_for_all_paths(self):
        assert names("/f/c.mp4", x=["/f/a.mp4", "/f/b.mp4"]).match("x") == {
            "x": ["/f/a.mp4", "/f/b.mp4"]
        }

    @pytest.mark.parametrize("pattern", ["/f/a[1].mp4", "a[1].mp4"])
    def test_what_names_a_video_is_no_glob(self, pattern):
        known = names("/f/a[1].mp4", "/f/a1.mp4", "/f/a2.mp4")
        assert paths(known.match(pattern)) == ["/f/a[1].mp4"]
        assert paths(known.match(pattern.replace("1", "12"))) == ["/f/a1.mp4", "/f/a2.mp4"]

    @pytest.mark.parametrize("pattern", ["/f/[b]", "/f/[b]/", "[b]"])
    def test_what_names_a_folder_is_no_glob(self, pattern, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        root = str(tmp_path) if pattern == "[b]" else "/f"
        known = names(f"{root}/[b]/x.mp4", f"{root}/[b].mp4", f"{root}/b", f"{root}/b/x.mp4")
        assert paths(known.match(pattern)) == [f"{root}/[b]/x.mp4"]

    def test_a_path_is_that_file_and_no_other_of_its_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        known = names("/f/a.mp4", f"{tmp_path}/a.mp4", "/f/deep/b.mp4", "/g/b.mp4")
        assert paths(known.match("a.mp4")) == [f"{tmp_path}/a.mp4"]
        assert paths(known.match("b.mp4")) == ["/f/deep/b.mp4", "/g/b.mp4"]

    def test_a_copy_has_a_path_of_its_own(self):
        known = names("/f/c.mp4", x=["/f/a.mp4", "/g/a.mp4"])
        assert known.match("/g") == known.match("/g/a.mp4") == {"x": ["/g/a.mp4"]}
        assert known.match("/*/a.*") == {"x": ["/f/a.mp4", "/g/a.mp4"]}

    def test_a_folder_is_not_what_begins_like_it(self):
        assert paths(names("/f/a.mp4", "/f2/a.mp4", "/f-/a.mp4").match("/f")) == ["/f/a.mp4"]
        assert len(names("/f/a.mp4", "/f2/a.mp4").match("/")) == 2

    def test_folders_and_objects_of_a_store(self):
        known = names("s3://b/v/a[1].mp4", "s3://b/v/a1.mp4", "s3://b/w.mp4")
        assert paths(known.match("s3://b/v/")) == ["s3://b/v/a1.mp4", "s3://b/v/a[1].mp4"]
        assert paths(known.match("s3://b/v/a[1].mp4")) == ["s3://b/v/a[1].mp4"]

    @pytest.mark.parametrize(
        "pattern", ["M\xe4dchen.mp4", "/f/M\xe4dchen.mp4", "*\xe4*", "/f/*\xe4*"]
    )
    def test_names_compare_in_nfc(self, pattern):
        known = names("/f/Ma\u0308dchen.mp4", "/f/other.mp4")
        assert paths(known.match(pattern)) == ["/f/Ma\u0308dchen.mp4"]
        both = names("/f/Ma\u0308dchen.mp4", "/f/M\xe4dchen.mp4")
        assert len(paths(both.match(pattern))) == (1 if pattern == "/f/M\xe4dchen.mp4" else 2)

    def test_globs_are_paths_as_people_type_them(self, tmp_path, monkeypatch):
        (tmp_path / "v [1]").mkdir()
        (tmp_path / "link").symlink_to("v [1]")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        known = names(f"{tmp_path}/v [1]/a.mp4", "/f/a.mp4", f"{tmp_path}/v 1/b.mp4")
        for folder in ("v [1]", "./v [1]", "~/link", "link", f"{tmp_path}/link", "~/v [[]1]"):
            for pattern in ("/*.mp4", "/a*", "/"):
                if not (pattern == "/" and "[[]" in folder):
                    expected = [f"{tmp_path}/v [1]/a.mp4"]
                    assert paths(known.match(folder + pattern)) == expected

    @pytest.mark.parametrize("nothing", ["", " ", "\t\n"])
    def test_an_empty_name_is_not_the_current_folder(self, nothing, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(QueryError, match="an empty name"):
            names(f"{tmp_path}/a.mp4").match(nothing)


def test_one_video_or_an_error_that_says_how_many():
    known = names("/f/a.mp4", "/g/a.mp4", "/g/b.mp4")
    assert known.find("/f/a.mp4") == "id of /f/a.mp4"
    for name, said in (("a.mp4", "2 videos"), ("x.mp4", "no video")):
        with pytest.raises(QueryError, match=f"{name}: {said}"):
            known.find(name)


def test_all_that_takes_a_name_reads_it_so(shared_library: Library):
    for use in (
        lambda name: shared_library.videos([name]),
        lambda name: shared_library.search("a dog", video=name),
        lambda name: shared_library.scores("a dog", video=name),
        lambda name: shared_library.frame(name, 0.0),
    ):
        with pytest.raises(QueryError, match="an empty name"):
            use(" ")
