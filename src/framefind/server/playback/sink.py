"""A file in memory that is emptied while a muxer writes it."""

from collections.abc import Iterator


class Sink:
    """Collects what is written, until it is taken."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep the bytes; return how many they are."""
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> Iterator[bytes]:
        """Yield what was written since the last time as one chunk, if anything was."""
        if self._chunks:
            chunks = self._chunks
            self._chunks = []
            yield b"".join(chunks)
