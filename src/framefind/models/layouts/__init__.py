"""Layouts: the ways in which the files of a model lie in a folder or a repository, one per file."""
