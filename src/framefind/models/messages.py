"""Messages of other packages' errors, cut to what fits in one of ours."""


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
