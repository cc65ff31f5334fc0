"""What framefind raises. Every message names the thing that is wrong and says what to do."""


class FramefindError(Exception):
    """The base of every error that framefind raises on purpose."""


class VideoError(FramefindError):
    """A video cannot be decoded; the message says why."""


class NotAVideoError(VideoError):
    """A file holds no video at all: a still picture, audio, text, a playlist, anything else."""


class StoreError(FramefindError):
    """An object store cannot be reached, refuses, or lacks its package; never a video's fault."""


class ModelError(FramefindError):
    """A model cannot be loaded, or its vectors are unusable."""


class LibraryError(FramefindError):
    """A library is missing, not a library, busy, of another model or of a newer schema."""


class DataFileError(LibraryError):
    """A data file that a library lists is missing or damaged: what it held is lost."""


class QueryError(FramefindError):
    """A query cannot be understood."""


class UsageError(QueryError, ValueError):
    """An argument is wrong: out of its range, none of the choices, or it names nothing."""


class ChoiceError(ModelError, UsageError):
    """A model, a device or a precision has a name that is not known."""
