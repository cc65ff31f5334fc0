"""The Delta tables that are a library: `videos`, `frames` and `cues`."""
