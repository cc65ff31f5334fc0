"""Words: subtitles, speech and text on screen become cues.

Each source is a module that yields `Cue`s; `indexing/` runs them and stores what they yield.
"""
