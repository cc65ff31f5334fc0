"""Moments as video files of their own."""
