"""From a video file to frames with exact times."""
