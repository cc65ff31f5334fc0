"""Decode text files of unknown encoding."""

from framefind.files.lines import BYTE_ORDER_MARKS

_SAMPLE_BYTES = 1 << 16
_MAX_BROKEN_SHARE = 0.01
"""Of the characters of UTF-8 beyond ASCII; where more are broken, it is another encoding."""
_LIKELY = [
    *("euc_jp", "cp932", "cp949", "big5", "gb18030"),  # few other bytes make sense in these
    *("cp1252", "cp1250", "cp1255", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1256", "cp874"),
]
"""Encodings that are guessed; of several that fit as well, the first."""

_USUAL = """
cp1250=bs,cs,hr,hu,pl,ro,sk,sl,sq cp1251=be,bg,mk,ru,sr,uk cp1253=el cp1254=tr cp1255=he
cp1252=ca,da,de,en,es,eu,fi,fr,ga,gl,is,it,nb,nl,nn,no,pt,sv cp1256=ar,fa,ur cp1258=vi
cp874=th cp932=ja cp949=ko
"""
_BY_LANGUAGE = {
    language: pair.partition("=")[0]
    for pair in _USUAL.split()
    for language in pair.partition("=")[2].split(",")
}


def decode_text(data: bytes, language: str = "") -> str:
    """Return the text that bytes hold: by their mark, as UTF-8 or 16, else as they are likeliest.

    `language` is a code of two letters, where it is known. What does not decode becomes U+FFFD.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        encoding = "utf-8" if _is_nearly_utf8(data) else _guess(data, language)
        return data.decode(encoding, "replace")


def _guess(data: bytes, language: str) -> str:
    """Return the likeliest encoding of bytes that are not UTF-8."""
    from charset_normalizer import from_bytes

    head = data[:_SAMPLE_BYTES]
    if head[:4000].count(0) > len(head[:4000]) // 8:  # every other byte of Latin text
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    usual = _BY_LANGUAGE.get(language[:2])
    if usual and "\ufffd" not in data.decode(usual, "replace"):
        return usual
    # What is ASCII, such as times and numbers, tells nothing.
    lines = [line for line in head.splitlines() if not line.isascii()]
    guesses = from_bytes(b"\n".join(lines), cp_isolation=_LIKELY)
    best = min(
        guesses,
        key=lambda guess: (guess.chaos, -guess.coherence, _LIKELY.index(guess.encoding)),
        default=None,
    )
    return best.encoding if best else "cp1252"


def _is_nearly_utf8(data: bytes) -> bool:
    """Return whether almost all characters beyond ASCII are those of UTF-8."""
    text = data[:_SAMPLE_BYTES].decode("utf-8", "replace")
    others = sum(not letter.isascii() for letter in text)
    return text.count("\ufffd") <= _MAX_BROKEN_SHARE * others
