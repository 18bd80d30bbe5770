"""Text from outside, made fit for a terminal."""


def printable(text: str) -> str:
    r"""Return text with every character escaped that a terminal would obey or hide instead of showing.

    Those are control characters and escape sequences, line breaks, what turns the direction of writing, invisible
    and unassigned characters, and bytes of a path that are not UTF-8: ``\x1b``, ``\n``, ``\u202e``, ``\xe9``. What is
    returned is one line. Square brackets stay: for rich, escape its markup afterwards.

    Source: str.isprintable, by the categories of the Unicode Character Database.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    # PEP 383: how Python keeps a byte of a file name that it cannot decode.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else character.encode("unicode_escape").decode()


def as_utf8(text: str) -> str:
    r"""Return text that UTF-8 can hold: the bytes of a file name that are not UTF-8 as their escapes, ``\xe9``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
