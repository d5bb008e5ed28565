"""The secret that opens a server."""


class Token:
    """An API token that does not show itself: `repr` and `str` give stars, `reveal` gives the text.

    White space around it is taken away. Raises ValueError, without showing it, where it holds what no token does.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        text = text.strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("the token holds a space, a line break or another character that no token has")
        self._text = text

    def reveal(self) -> str:
        """Return the token itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Token(***)"
