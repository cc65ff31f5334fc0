"""Moments as clips on a timeline, for players and editors: one file for each format."""
