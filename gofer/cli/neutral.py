"""Text of others made safe for a terminal: what would move the cursor, set a title or answer back is taken out."""

import codecs
import re
from typing import Final

_CONTROLS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"  # with those that turn the writing round
)
_SEQUENCES: Final = re.compile(
    r"""
    (?P<colour> \x1b \[ [0-9;:]* m )
    | \x1b \[ [0-?]* [\ -/]* [@-~]                                # moves, erases, modes
    | \x1b [\]PX^_] [^\x07\x1b]{0,4096} (?: \x07 | \x1b \\ )      # titles, links, clipboards, pictures
    | (?P<kept> [\t\n\r] )
    | [\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]
    """,
    re.VERBOSE,
)
_CUT_SEQUENCE: Final = re.compile(r"\x1b (?: \[ [0-?]{0,64} [\ -/]{0,8} )? \Z", re.VERBOSE)


def plain(text: str) -> str:
    """Return a name or description on one line without control characters, which become spaces."""
    return _CONTROLS.sub(" ", text)


def shown_log(text: str) -> str:
    """Return a log's text with its tabs, line ends and colours, but no other control sequences."""
    return _SEQUENCES.sub(lambda match: match["colour"] or match["kept"] or "", text)


class LogFilter:
    """Makes a log safe for a terminal chunk by chunk; a sequence or character may lie across two chunks."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def feed(self, chunk: bytes) -> str:
        """Return what can be shown by now."""
        text = self._held + self._decoder.decode(chunk)
        cut = _CUT_SEQUENCE.search(text)
        self._held = text[cut.start() :] if cut else ""
        return shown_log(text[: cut.start()] if cut else text)

    def end(self) -> str:
        """Return what is left at the log's end."""
        return shown_log(self._held + self._decoder.decode(b"", final=True))
