"""The vector index: what a search reads, derived from the tables and rebuildable at any time.

A folder of memory-mapped, append-only files (a generation), a listing of what of them counts, and
one small manifest that names both. New vectors are appended first and the manifest is replaced
last, so that a crash leaves the old index whole. A segment that its video no longer lists is dead:
its frames are in no listing and are passed over.
"""
