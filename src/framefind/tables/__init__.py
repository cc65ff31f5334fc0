"""The Delta tables that are a library: `videos` and `frames`."""
