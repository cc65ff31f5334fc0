"""The errors that framefind raises on purpose; each message names the thing and says what to do.

FramefindError
├── VideoError          a video cannot be decoded
│   └── NotAVideoError  a file holds no video
├── StoreError          an object store does not answer
├── WordsError          words cannot be read
├── ModelError          a model cannot be loaded
│   ├── NotFiniteError  its vectors have numbers that are not finite
│   └── ChoiceError     its name, device or precision is unknown (also a UsageError)
├── LibraryError        a library cannot be opened or written
│   ├── BusyError       another process is writing to it
│   └── DataFileError   one of its data files is missing or damaged
└── QueryError          a query cannot be understood
    └── UsageError      an argument is wrong (also a ValueError)
"""


class FramefindError(Exception):
    """The base of every error that framefind raises on purpose."""


class VideoError(FramefindError):
    """A video cannot be decoded; the message says why."""


class NotAVideoError(VideoError):
    """A file holds no video: it is a still picture, audio, text, a playlist or anything else."""


class StoreError(FramefindError):
    """An object store cannot be reached, refuses, or lacks its package; never a video's fault."""


class WordsError(FramefindError):
    """Words of a video cannot be read: a subtitle file is broken, or what reads them is missing."""


class ModelError(FramefindError):
    """A model cannot be loaded, or its vectors are unusable."""


class NotFiniteError(ModelError):
    """A vector of a model has a number that is not finite: it overflows, or its weights are bad."""


class LibraryError(FramefindError):
    """A library is missing, busy, of another model or of a newer schema, or is no library."""


class BusyError(LibraryError):
    """Another process is writing to a library; the message names it."""


class DataFileError(LibraryError):
    """A data file that a library lists is missing or damaged: what it held is lost."""


class QueryError(FramefindError):
    """A query cannot be understood."""


class UsageError(QueryError, ValueError):
    """An argument is wrong: out of its range, none of the choices, or it names nothing."""


class ChoiceError(ModelError, UsageError):
    """A model, a device or a precision has a name that is not known."""
