"""Recognise speech with a Whisper model, which faster-whisper runs: the extra [speech].

A model has a name such as `base` or `large-v3`, is a repository of the hub, or a folder
(`local-dir:`) with a model that was converted for CTranslate2. docs/words.md describes them.
"""

import os
import re
from collections.abc import Collection
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from framefind.errors import ChoiceError, ModelError
from framefind.models import hub
from framefind.models.devices import parse_device
from framefind.models.layouts.base import Files
from framefind.models.messages import first_line
from framefind.processes import cores
from framefind.video.sound import SAMPLE_RATE, Samples
from framefind.words.phrases import Word

if TYPE_CHECKING:
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from faster_whisper.transcribe import Segment

DEFAULT_MODEL = "base"

SPEECH = "speech/"
"""What the stored name of a model of speech begins with."""

INSTALL_SPEECH = "pip install 'framefind[speech]'"

_SIZES = ("tiny", "base", "small", "medium")
_REPOSITORIES = {
    **{size: f"Systran/faster-whisper-{size}" for size in _SIZES},
    **{f"{size}.en": f"Systran/faster-whisper-{size}.en" for size in _SIZES},
    "large-v3": "Systran/faster-whisper-large-v3",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
_LOCAL = "local-dir:"
_NEEDED_FILES = "model.bin", "config.json", "tokenizer.json"
_MORE_FILES = "vocabulary.json", "vocabulary.txt", "preprocessor_config.json"
_MAX_TOKENS = 200  # of a window: half as much again as the fastest speakers fill it with
# What follows are guards against words that nobody said.
_MAX_COMPRESSION = 3.0  # of a window's text: more is one phrase over and over
_MIN_LOG_PROBABILITY = -0.9  # on average of a window's tokens
_MAX_NO_SPEECH = 0.6  # probability; above, the text has to be more probable:
_MIN_LOG_PROBABILITY_IF_NO_SPEECH = -0.5
_DOUBTFUL_LOG_PROBABILITY = -0.6  # below, the language may be another than in the window before


class Recogniser:
    """A model that recognises speech; it is loaded when it is first needed, and once.

    `name` is what a library stores of it, such as `speech/base`.
    """

    def __init__(self, model: str = DEFAULT_MODEL, device: str = "auto", threads: int = 0) -> None:
        """Find a model; one of the hub that is not on this machine is downloaded.

        `device` is as for the models of pictures; devices that CTranslate2 lacks fall back to the
        CPU. `threads` bounds the threads of the CPU, 0 takes one per core. Raises ModelError when
        the extra is missing, or there is no such model or device.
        """
        check_extra()
        self.name = f"{SPEECH}{full_name(model)}"
        self._folder = _find_cached(model) or download(model)
        self._device = parse_device(device)
        self._threads = threads or cores()

    def recognise(self, window: Samples, language: str = "") -> tuple[list[Word], str]:
        """Return the words of a window of up to 30 s, and their language.

        `language` is that of the window before, if there is one: another is looked for where the
        words make little sense in it. There are no words where they are too improbable.
        """
        segments, heard = self._transcribe(window, language)
        if language and _log_probability(segments) < _DOUBTFUL_LOG_PROBABILITY:
            redone, redone_language = self._transcribe(window, "")
            if _log_probability(redone) > _log_probability(segments):
                segments = redone
                heard = redone_language
        words = [
            Word(word.start, word.end, word.word)
            for segment in segments
            if _is_plausible(segment)
            for word in segment.words or ()
        ]
        return words, heard

    def _transcribe(self, window: Samples, language: str) -> "tuple[list[Segment], str]":
        segments, info = self._pipeline.transcribe(
            window,
            language=language or None,
            vad_filter=False,
            clip_timestamps=[{"start": 0.0, "end": len(window) / SAMPLE_RATE}],
            batch_size=1,
            word_timestamps=True,
            max_new_tokens=_MAX_TOKENS,
        )
        return [*segments], info.language

    @cached_property
    def _pipeline(self) -> "BatchedInferencePipeline":
        from faster_whisper import BatchedInferencePipeline

        reason = ""
        for device in {"auto": ("auto", "cpu"), "cuda": ("cuda",)}.get(self._device[0], ("cpu",)):
            try:
                return BatchedInferencePipeline(self._load(device))
            except Exception as error:  # CTranslate2 raises many
                reason = first_line(error)
        raise ModelError(f"{self.name} cannot be loaded: {reason}")

    def _load(self, device: str) -> "WhisperModel":
        from faster_whisper import WhisperModel

        model = WhisperModel(
            str(self._folder),
            device=device,
            device_index=self._device[1],
            compute_type="int8",
            cpu_threads=self._threads,
        )
        if model.model.device == "cuda":  # only computing shows that its libraries are here
            model.encode(np.zeros((model.model.n_mels, 3000), np.float32))
        return model


def full_name(model: str) -> str:
    """Return the full name of a model: a folder becomes absolute. Raises ChoiceError."""
    if model.startswith(_LOCAL):
        return f"{_LOCAL}{os.path.realpath(os.path.expanduser(model.removeprefix(_LOCAL)))}"
    repository = model.removeprefix("hf-hub:")
    if model in _REPOSITORIES or re.fullmatch(r"\w[\w.-]*/[\w.-]+", repository):
        return repository
    raise ChoiceError(f"unknown model of speech {model!r}: {_suggest_names()}")


def _suggest_names() -> str:
    names = ", ".join(_REPOSITORIES)
    return f"use {names}, hf-hub:OWNER/NAME or local-dir:/path/to/folder"


def is_available(model: str = DEFAULT_MODEL) -> bool:
    """Return whether the extra and a model are on this machine. Raises ChoiceError."""
    return bool(find_spec("faster_whisper") and _find_cached(model))


def check_extra() -> None:
    """Raise ModelError where the extra [speech] is not installed."""
    if not find_spec("faster_whisper"):
        raise ModelError(f"speech needs faster-whisper: {INSTALL_SPEECH}")


def download(model: str = DEFAULT_MODEL) -> Path:
    """Download a model from the hub, or complete one; return its folder. Raises ModelError."""
    name = full_name(model)
    if name.startswith(_LOCAL):
        raise ModelError(f"{name.removeprefix(_LOCAL)} holds no model of speech: {_NEED}")
    stored = f"{SPEECH}{name}"
    command = f"framefind models download {stored}"
    return hub.download(stored, *_find_repository(name), _choose_files, command, _suggest_names)


def _find_cached(model: str) -> Path | None:
    """Return the folder of a model that is complete on this machine."""
    name = full_name(model)
    if not name.startswith(_LOCAL):
        return hub.find_cached(*_find_repository(name), _choose_files)
    folder = Path(name.removeprefix(_LOCAL))
    return folder if all((folder / file).is_file() for file in _NEEDED_FILES) else None


def _find_repository(name: str) -> tuple[str, str | None]:
    """Return the hub's repository of a model, and the revision, if one is named."""
    bare, _, revision = name.partition("@")
    return _REPOSITORIES.get(bare, bare), revision or None


def _choose_files(names: Collection[str]) -> Files:
    """Return the files of a model among those of a repository. Raises LookupError."""
    if not set(_NEEDED_FILES) <= set(names):
        raise LookupError(f"holds no model of speech: {_NEED}")
    chosen = [name for name in (*_NEEDED_FILES, *_MORE_FILES) if name in names]
    return Files("", "", "int8", tuple(chosen))


_NEED = f"one has {', '.join(_NEEDED_FILES)}, as ct2-transformers-converter writes them"


def _log_probability(segments: "list[Segment]") -> float:
    """Return the lowest average log probability of some segments' tokens; 0 without any."""
    return min((segment.avg_logprob for segment in segments), default=0.0)


def _is_plausible(segment: "Segment") -> bool:
    """Return whether the words of a segment are likely to have been said."""
    min_probability = _MIN_LOG_PROBABILITY
    if segment.no_speech_prob > _MAX_NO_SPEECH:
        min_probability = _MIN_LOG_PROBABILITY_IF_NO_SPEECH
    return bool(
        segment.avg_logprob > min_probability and segment.compression_ratio <= _MAX_COMPRESSION
    )
