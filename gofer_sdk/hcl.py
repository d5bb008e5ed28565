"""Read HCL: attributes and blocks with plain values, each with its place in the text.

python-hcl2 parses; what its dictionaries lose is kept here (places, blocks apart from attributes) and what it passes
over is a fault (a name given twice, expressions that nobody evaluates). The parser costs a tenth of a second to import
and one and a half to build where its grammar can't be cached, so that it is loaded at first use, and `prepare` puts
the cache where it can be written.
"""

import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from lark import Token, Tree

    Node: TypeAlias = Tree[Token]

HclValue: TypeAlias = "str | int | float | bool | tuple[HclValue, ...] | Mapping[str, HclValue] | None"

_MAX_DEPTH: Final = 50
_MAX_DIGITS: Final = 300  # so that each fits into a float
_HEREDOC: Final = re.compile(r"<<-?([a-zA-Z][a-zA-Z0-9._-]*)\r?\n(.*?)[ \t]*\1\r?\n?\Z", re.DOTALL)
_LITERALS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}


class HclFault(ValueError):
    """The text is no HCL that can be read; line and column count from 1, 0 = not known."""

    def __init__(self, text: str, *, line: int = 0, column: int = 0) -> None:
        """Keep the sentence and the place; the error's text is both."""
        super().__init__(f"line {line}, column {column}: {text}" if line else text)
        self.text = text
        self.line = line
        self.column = column


class HclFaults(HclFault):
    """Entries that can't be read, in an otherwise sound text; it reads as the first of them."""

    def __init__(self, faults: "Sequence[HclFault]", *, readable: "HclBody") -> None:
        """Keep them all, and what is left of the text without them."""
        first = faults[0]
        super().__init__(first.text, line=first.line, column=first.column)
        self.faults = tuple(faults)
        self.readable = readable


@dataclass(frozen=True, slots=True, kw_only=True)
class HclAttribute:
    """One `name = value`."""

    name: str
    value: HclValue
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HclBlock:
    """One `name "label" ... { ... }`."""

    name: str
    labels: tuple[str, ...]
    body: "HclBody"
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HclBody:
    """What stands in a file or between the braces of a block: attributes by name, and blocks in order."""

    attributes: Mapping[str, HclAttribute]
    blocks: tuple[HclBlock, ...]


def parse_hcl(text: str) -> HclBody:
    """Read a text of HCL.

    Raises:
        HclFault: it can't be read, gives a name twice, or holds an expression where a plain value belongs. Where the
            text as a whole can be read, it is `HclFaults` with all of them.

    """
    prepare()
    import hcl2
    from lark.exceptions import LarkError, UnexpectedInput

    try:
        tree = hcl2.parses_to_tree(text)
    except UnexpectedInput as error:
        found = getattr(error, "token", None) or getattr(error, "char", "")
        shown = f"{str(found).splitlines()[0]!r}" if str(found).strip() else "the end of a line or of the text"
        raise HclFault(f"{shown} does not fit here", line=error.line, column=error.column) from error
    except LarkError as error:
        raise HclFault(str(error)) from error
    faults: list[HclFault] = []
    body = _body(_subtrees(tree)[0], faults, depth=0)
    if faults:
        raise HclFaults(faults, readable=body)
    return body


def prepare() -> None:
    """Give the parser's grammar cache a writable place; call it once where a first read should be quick later.

    The cache is Python's pickle, so that it lies beside the parser's own code or in a folder of this user alone.
    """
    import hcl2.parser

    default = Path(hcl2.parser.__file__).parent / ".lark_cache.bin"
    if default.exists() or os.access(default.parent, os.W_OK):
        return
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "gofer"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except (OSError, RuntimeError):  # no such place, or a user without a home
        return
    if status.st_uid == os.getuid() and not status.st_mode & 0o022:
        hcl2.parser.PARSER_FILE = folder / "hcl_grammar.bin"


def _body(node: "Node", faults: list[HclFault], *, depth: int) -> HclBody:
    attributes: dict[str, HclAttribute] = {}
    blocks: list[HclBlock] = []
    lines_taken = 0
    for child in _subtrees(node):
        if child.data not in {"attribute", "block"}:
            continue
        if child.meta.line == lines_taken:
            faults.append(_fault(child, "a new entry starts a new line"))
        # A heredoc takes its line end along, so that it ends at the first column of the line that follows.
        lines_taken = child.meta.end_line if child.meta.end_column > 1 else 0
        try:
            if child.data == "block":
                blocks.append(_block(child, faults, depth=depth + 1))
            else:
                _add(_attribute(child), attributes)
        except HclFault as fault:
            faults.append(fault)
    for block in blocks:
        if block.name in attributes:
            text = f"{block.name} is given as a block and as an attribute"
            faults.append(HclFault(text, line=block.line, column=block.column))
    return HclBody(attributes=MappingProxyType(attributes), blocks=tuple(blocks))


def _add(attribute: HclAttribute, attributes: dict[str, HclAttribute]) -> None:
    if attribute.name in attributes:
        text = f"{attribute.name} is given twice, first in line {attributes[attribute.name].line}"
        raise HclFault(text, line=attribute.line, column=attribute.column)
    attributes[attribute.name] = attribute


def _attribute(node: "Node") -> HclAttribute:
    name, value = _subtrees(node)
    return HclAttribute(name=_text_of(name), value=_value(value, depth=0), line=node.meta.line, column=node.meta.column)


def _block(node: "Node", faults: list[HclFault], *, depth: int) -> HclBlock:
    if depth > _MAX_DEPTH:
        raise _fault(node, "blocks are nested too deeply")
    *names, body = [child for child in _subtrees(node) if child.data != "new_line_or_comment"]
    name, *labels = (_string(part) if part.data == "string" else _text_of(part) for part in names)
    return HclBlock(
        name=name,
        labels=tuple(labels),
        body=_body(body, faults, depth=depth),
        line=node.meta.line,
        column=node.meta.column,
    )


def _value(node: "Node", *, depth: int) -> HclValue:
    if depth > _MAX_DEPTH:
        raise _fault(node, "values are nested too deeply")
    while node.data == "expr_term":  # parentheses too
        node = _only(node)
    match node.data:
        case "int_lit":
            return _whole_number(node)
        case "float_lit":
            return float(_text_of(node))
        case "literal_value":
            return _LITERALS[_text_of(node)]
        case "unary_op":
            return _negative(node, depth=depth + 1)
        case "string":
            return _string(node)
        case "heredoc_template" | "heredoc_template_trim":
            return _heredoc(node)
        case "tuple":
            return tuple(_value(part, depth=depth + 1) for part in _parts(node))
        case "object":
            return _object(node, depth=depth + 1)
        case _:
            raise _fault(node, "this is an expression, and only plain values are read: a text needs quotes")


def _whole_number(node: "Node") -> int:
    text = _text_of(node)
    digits = len(text.removeprefix("-"))
    if digits > _MAX_DIGITS:
        raise _fault(node, f"a number of {digits} digits is too long")
    return int(text)


def _negative(node: "Node", *, depth: int) -> int | float:
    sign = str(node.children[0])
    number = _value(_only(node), depth=depth)
    if sign != "-" or isinstance(number, bool) or not isinstance(number, int | float):
        raise _fault(node, "only a number can have a sign")
    return -number


def _string(node: "Node") -> str:
    from hcl2.utils import process_escape_sequences

    parts: list[str] = []
    for part in _subtrees(node):
        token = part.children[0]
        if not isinstance(token, str):
            raise _fault(part, "a text can't hold an expression; for the characters themselves write $${ or %%{")
        if "\n" in token:
            raise _fault(part, "a text in quotes ends in the line that it begins in: is a quote missing?")
        # The escaped forms stand for one `$` or `%` less; in all other parts the backslashes count.
        escaped = token.type in {"ESCAPED_INTERPOLATION", "ESCAPED_DIRECTIVE"}
        parts.append(token[1:] if escaped else process_escape_sequences(str(token)))
    return "".join(parts)


def _heredoc(node: "Node") -> str:
    match = _HEREDOC.match(str(node.children[0]))
    if match is None:
        raise _fault(node, "the text after << has no end")
    return textwrap.dedent(match[2]) if node.data == "heredoc_template_trim" else match[2]


def _object(node: "Node", *, depth: int) -> Mapping[str, HclValue]:
    found: dict[str, HclValue] = {}
    for element in _parts(node):
        key_node, value_node = _subtrees(element)
        key = _object_key(key_node)
        if key in found:
            raise _fault(key_node, f"{key} is given twice in one object")
        found[key] = _value(value_node, depth=depth)
    return MappingProxyType(found)


def _object_key(node: "Node") -> str:
    inner = _only(node)
    while inner.data == "expr_term":
        inner = _only(inner)
    if inner.data == "string":
        return _string(inner)
    if inner.data in {"identifier", "keyword", "literal_value", "int_lit"}:
        return _text_of(inner)
    raise _fault(node, "a key is a name or a text in quotes")


def _subtrees(node: "Node") -> Sequence["Node"]:
    return [child for child in node.children if not isinstance(child, str)]


def _parts(node: "Node") -> Iterator["Node"]:
    return (child for child in _subtrees(node) if child.data != "new_line_or_comment")


def _only(node: "Node") -> "Node":
    parts = list(_parts(node))
    if len(parts) != 1:
        raise _fault(node, "this is an expression, and only plain values are read")
    return parts[0]


def _text_of(node: "Node") -> str:
    return str(node.children[0])


def _fault(node: "Node", text: str) -> HclFault:
    return HclFault(text, line=node.meta.line, column=node.meta.column)
