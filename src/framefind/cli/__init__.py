"""The command line: one file per command, and what people see of it."""
