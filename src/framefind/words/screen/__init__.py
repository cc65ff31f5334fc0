"""Text on screen becomes cues."""

from framefind.words.screen.reader import ScreenReader

__all__ = ["ScreenReader"]
