"""Paths and bytes, on a disk or in an object store."""
