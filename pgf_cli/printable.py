"""Text from outside, made safe to show."""


def printable(text: str) -> str:
    """Return a text with every character that cannot be printed as its backslash escape.

    Record names, notes, paths and their like may hold characters that a terminal obeys (escape sequences, line ends),
    or that reverse what is read (bidirectional controls). Undecodable bytes of file names are escaped as well. Letters
    of every script, and the plain space, stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
