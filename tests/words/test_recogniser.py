"""Models of speech: their names, where they come from, and guards against invented words."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import hubs
import numpy as np
import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from framefind.cli.models import app
from framefind.errors import ChoiceError, ModelError
from framefind.words import recogniser
from framefind.words.recogniser import Recogniser
from spoken import SENTENCES, needs_speech, say, tiny_model


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hubs.Hub]:
    """A hub with a model of speech, `tiny/speech`, and a repository that is none."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between two tries
    repository = tmp_path / "hub" / "tiny" / "speech"
    repository.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt", "README.md"):
        (repository / name).write_text(name)
    hubs.clip(tmp_path / "hub" / "tiny" / "clip")
    served = hubs.Hub(tmp_path / "hub")
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield served
    served.close()


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra [speech], as if it were installed."""
    monkeypatch.setattr(recogniser, "find_spec", lambda name: True)


class TestWhereModelsComeFrom:
    def test_one_of_the_hub_is_downloaded_once_with_no_more_than_it_needs(self, hub, extra):
        assert not recogniser.is_available("tiny/speech")
        found = Recogniser("hf-hub:tiny/speech")
        assert found.name == "speech/tiny/speech"
        assert recogniser.is_available("tiny/speech")
        assert not hub.asked("README")
        asked = len(hub.log)
        Recogniser("tiny/speech")
        assert len(hub.log) == asked

    def test_a_repository_without_one_is_named(self, hub, extra):
        with pytest.raises(ModelError, match=r"tiny/clip holds no model of speech: one has model"):
            Recogniser("tiny/clip")

    def test_one_that_the_hub_has_not_is_named(self, hub, extra):
        with pytest.raises(ModelError, match=r"the hub has no tiny/none.*use tiny, base"):
            Recogniser("tiny/none")

    def test_offline_the_error_says_what_to_run(self, hub, extra, monkeypatch):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        message = "HF_HUB_OFFLINE is set.*`framefind models download speech/base`"
        with pytest.raises(ModelError, match=message):
            Recogniser()
        assert not hub.log

    def test_the_command_that_is_named_downloads_it(self, hub):
        done = CliRunner().invoke(app, ["download", "speech/tiny/speech"])
        assert done.exit_code == 0, done.output
        assert recogniser._find_cached("tiny/speech") == Path(done.output.strip())

    def test_a_folder_without_one_is_named(self, extra, tmp_path):
        with pytest.raises(ModelError, match=f"{tmp_path} holds no model of speech"):
            Recogniser(f"local-dir:{tmp_path}")

    @pytest.mark.parametrize(
        "name", ["huge", "", "base.de", "./folder", "/a/folder", "~/folder", "a/b/c"]
    )
    def test_unknown_names_list_the_known_ones(self, name):
        with pytest.raises(ChoiceError, match="use tiny, base, small"):
            recogniser.full_name(name)

    def test_unknown_devices_list_the_known_ones(self, hub, extra):
        with pytest.raises(ChoiceError, match="use auto, cpu"):
            Recogniser("tiny/speech", "tpu")

    def test_without_the_extra_the_error_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr(recogniser, "find_spec", lambda name: None)
        assert not recogniser.is_available()
        with pytest.raises(ModelError, match=r"pip install 'framefind\[speech\]'"):
            Recogniser()


def segment(log_probability: float, text: str = " word", **more: float) -> SimpleNamespace:
    words = [SimpleNamespace(start=0.0, end=1.0, word=text)]
    facts = {"no_speech_prob": 0.1, "compression_ratio": 1.2, **more}
    return SimpleNamespace(avg_logprob=log_probability, words=words, **facts)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extra: None) -> Recogniser:
    """A recogniser that gives `stub.answers`: segments by the language that is asked for."""
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).touch()
    made = Recogniser(f"local-dir:{tmp_path}")
    answers: dict[str, tuple[list[SimpleNamespace], str]] = {}

    def transcribe(window, language, **how):
        segments, heard = answers[language or ""]
        return iter(segments), SimpleNamespace(language=heard)

    vars(made).update(answers=answers, _pipeline=SimpleNamespace(transcribe=transcribe))
    return made


class TestGuards:
    @pytest.mark.parametrize(
        ("facts", "kept"),
        [
            ({"log_probability": -0.3}, True),
            ({"log_probability": -1.5}, False),
            ({"log_probability": -0.4, "compression_ratio": 3.5}, False),
            ({"log_probability": -0.7, "no_speech_prob": 0.9}, False),
            ({"log_probability": -0.4, "no_speech_prob": 0.9}, True),
        ],
    )
    def test_improbable_words_are_left_out(self, stub, facts, kept):
        stub.answers[""] = [segment(**facts)], "en"
        words, language = stub.recognise(np.zeros(16000, np.float32))
        assert (bool(words), language) == (kept, "en")

    def test_another_language_is_looked_for_where_words_make_little_sense(self, stub):
        stub.answers["en"] = [segment(-0.8, " good morgan")], "en"
        stub.answers[""] = [segment(-0.5, " guten Morgen")], "de"
        words, language = stub.recognise(np.zeros(16000, np.float32), "en")
        assert ([word.text for word in words], language) == ([" guten Morgen"], "de")

    def test_the_language_stays_where_no_other_fits_better(self, stub):
        stub.answers["en"] = [segment(-0.7, " mumbled")], "en"
        stub.answers[""] = [segment(-0.8, " gemurmelt")], "de"
        words, language = stub.recognise(np.zeros(16000, np.float32), "en")
        assert ([word.text for word in words], language) == ([" mumbled"], "en")


@needs_speech
def test_real_weights_hear_a_sentence():
    words, language = Recogniser(tiny_model(), "cpu", 1).recognise(say(SENTENCES[0]))
    text = "".join(word.text for word in words).lower()
    assert "the budget for the new railway station" in text
    assert language == "en"
    assert words == sorted(words, key=lambda word: word.start)


@needs_speech
def test_a_damaged_model_is_named(tmp_path):
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_text("no model")
    with pytest.raises(ModelError, match=f"speech/local-dir:{tmp_path} cannot be loaded: "):
        Recogniser(f"local-dir:{tmp_path}", "cpu").recognise(np.zeros(16000, np.float32))
