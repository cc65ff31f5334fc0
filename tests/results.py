"""Pages of results to write in the formats."""

from dataclasses import replace

from framefind.types import Moment, Page, Then, VideoMoments

MOMENT = Moment("/v/a.mp4", "0a1b", 10.0, 12.5, 11.2, 53.125, 0.875, (0.25, 0.0, 0.5, 1.0))
FOLLOWED = replace(MOMENT, then=Then(20.0, 22.0, 21.0, 40.5, 0.5))
VIDEO = VideoMoments("/v/a.mp4", "0a1b", 71.0, [replace(MOMENT, t=3.0, score=1.0), MOMENT])
BY_MOMENT = Page([MOMENT, FOLLOWED], total=7, offset=2)
BY_VIDEO = Page(VIDEO.moments, total=1, offset=0, videos=[VIDEO])
