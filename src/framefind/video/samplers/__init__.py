"""Samplers: which frames of a video are looked at, one file for each."""

from framefind.video.samplers.base import Sampler
from framefind.video.samplers.registry import parse_sampler

__all__ = ["Sampler", "parse_sampler"]
