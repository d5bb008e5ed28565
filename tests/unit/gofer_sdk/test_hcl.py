"""HCL is read with its places, and nothing is lost or guessed."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk.hcl import HclAttribute, HclBody, HclFault, HclValue, parse_hcl

SAMPLE = """\
// a comment
log_level = "info"     # another
/* and
   more */
limit     = 200
share     = -0.5
offset    = -3
flag      = true
nothing   = null
list      = ["a", 2, false, [],
  # inside
]
object    = { key = "v", "quoted key" = 2, colon: { deep = "x" } }
plain     = <<EOT
one
  two
EOT
trimmed   = <<-EOT
  one
    two
  EOT

server {
  host = "localhost:8080"
  tls {
    path = "/etc"
  }
}
extension "cron" second {}
extension "interval" { image = "x" }
"""


def values(body: HclBody) -> dict[str, HclValue]:
    """Return the attributes without their places."""
    return {name: attribute.value for name, attribute in body.attributes.items()}


def value_of(text: str) -> HclValue:
    """Return the value that stands behind `a = `."""
    return parse_hcl(f"a = {text}").attributes["a"].value


def test_all_kinds_of_values_are_read() -> None:
    assert values(parse_hcl(SAMPLE)) == {
        "log_level": "info",
        "limit": 200,
        "share": -0.5,
        "offset": -3,
        "flag": True,
        "nothing": None,
        "list": ("a", 2, False, ()),
        "object": {"key": "v", "quoted key": 2, "colon": {"deep": "x"}},
        "plain": "one\n  two\n",
        "trimmed": "one\n  two\n",
    }


def test_blocks_are_read_with_their_labels_and_bodies() -> None:
    server, cron, interval = parse_hcl(SAMPLE).blocks

    assert (server.name, server.labels, server.line) == ("server", (), 23)
    assert values(server.body) == {"host": "localhost:8080"}
    assert server.body.blocks[0].name == "tls"
    assert (cron.name, cron.labels) == ("extension", ("cron", "second"))
    assert (interval.labels, values(interval.body)) == (("interval",), {"image": "x"})


def test_an_attribute_knows_its_place() -> None:
    body = parse_hcl('\n  a = "x"\n')

    assert body.attributes["a"] == HclAttribute(name="a", value="x", line=2, column=3)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", "// nothing\n"])
def test_a_text_with_nothing_in_it_is_an_empty_body(text: str) -> None:
    assert parse_hcl(text) == HclBody(attributes={}, blocks=())


def test_windows_line_ends_are_line_ends() -> None:
    assert values(parse_hcl('a = 1\r\nb = "x"\r\n')) == {"a": 1, "b": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'"a\n\t\"\\b"', 'a\n\t"\\b'),
        (r'"\u00e9 é"', "é é"),
        ('"100%"', "100%"),
        ('"a $${b} c"', "a ${b} c"),
        ('"%%{if}"', "%{if}"),
        ('"pipeline_secret{{a}}"', "pipeline_secret{{a}}"),
        ('"a$b"', "a$b"),
        ('""', ""),
    ],
)
def test_texts_are_read_with_their_escapes(text: str, expected: str) -> None:
    assert value_of(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("a = 1\nb = = 2", 2, 5, "does not fit here"),
        ("a 1", 1, 3, "'1' does not fit here"),
        ("server {\n  a = 1", 2, 8, "does not fit here"),
        ('a = "x', 1, 6, "does not fit here"),
        ('a = "x\nb = "', 1, 6, "is a quote missing?"),
        ("a = 1\nb = 2\n  a = 3", 3, 3, "a is given twice, first in line 1"),
        ("s {\n  a = 1\n  a = 2\n}", 3, 3, "a is given twice"),
        ("a = 1\na {\n}", 2, 1, "a is given as a block and as an attribute"),
        ("a = { b = 1, b = 2 }", 1, 14, "b is given twice in one object"),
        ("a = 1 b = 2", 1, 7, "a new entry starts a new line"),
        ("a = foo", 1, 5, "only plain values are read: a text needs quotes"),
        ("a = 1 + 2", 1, 5, "only plain values are read"),
        ("a = foo.bar", 1, 5, "only plain values are read"),
        ('a = upper("x")', 1, 5, "only plain values are read"),
        ("a = !true", 1, 5, "a number can have a sign"),
        ('a = "x ${y}"', 1, 8, "can't hold an expression"),
        ('a = "%{ if true }x%{ endif }"', 1, 6, "can't hold an expression"),
        ("a = { b.c = 1 }", 1, 7, "a key is a name"),
        ("a = " + "[" * 60 + "]" * 60, 1, 56, "nested too deeply"),
        ("\x00", 1, 1, "does not fit here"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(HclFault) as fault:
        parse_hcl(text)

    assert expected in fault.value.text
    assert (line, column) == (fault.value.line, fault.value.column)
    assert f"line {line}, column {column}: " in str(fault.value)


@pytest.mark.parametrize("digits", ["1" * 5000, f"-{'1' * 5000}"])
def test_a_number_without_end_is_refused(digits: str) -> None:
    """Python itself refuses to read more than 4,300 digits, with an error of another kind."""
    with pytest.raises(HclFault, match="a number of 5000 digits is too long"):
        parse_hcl(f"a = {digits}")


def test_parentheses_without_end_are_read_and_signs_without_end_refused() -> None:
    """Each is a call deeper for a reader that does not count them."""
    assert parse_hcl(f"a = {'(' * 3000}1{')' * 3000}").attributes["a"].value == 1
    with pytest.raises(HclFault, match="nested too deeply"):
        parse_hcl(f"a = {'-(' * 3000}1{')' * 3000}")


def test_blocks_nested_without_end_are_refused() -> None:
    with pytest.raises(HclFault, match="nested too deeply"):
        parse_hcl("a {\n" * 60 + "}\n" * 60)


@pytest.mark.fuzz
@given(st.text(alphabet='ab="{}[]<>$%\\#/*\n ,:1-.', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        body = parse_hcl(text)
    except HclFault:
        return

    assert isinstance(body, HclBody)


def test_the_parser_is_loaded_at_first_use() -> None:
    program = "import gofer_sdk.hcl, sys; print([m for m in ('hcl2', 'lark') if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.timeout(60)  # the grammar is compiled anew
def test_the_grammar_is_kept_in_the_users_cache_where_the_installation_is_read_only(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib\n"
        "os.access = lambda *_: False\n"
        "pathlib.Path.exists = lambda self, **_: False\n"
        "import gofer_sdk.hcl, hcl2.parser\n"
        "print(gofer_sdk.hcl.parse_hcl('a = 1').attributes['a'].value, hcl2.parser.PARSER_FILE)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )

    cache = tmp_path / "gofer" / "hcl_grammar.bin"
    assert done.stdout == f"1 {cache}\n"
    assert cache.stat().st_size > 10_000
    assert (tmp_path / "gofer").stat().st_mode & 0o777 == 0o700
