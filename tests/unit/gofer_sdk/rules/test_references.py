"""References to secrets and objects, held by the acceptance vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer_sdk.rules.references import Reference, ReferenceKind, find_reference, render_reference


@pytest.mark.parametrize(
    ("value", "kind", "key"),
    [
        ("pipeline_secret{{example}}", ReferenceKind.PIPELINE_SECRET, "example"),
        (" pipeline_secret{{ example }} ", ReferenceKind.PIPELINE_SECRET, "example"),
        ("\tglobal_secret{{example}}\n", ReferenceKind.GLOBAL_SECRET, "example"),
        ("pipeline_object{{example}}", ReferenceKind.PIPELINE_OBJECT, "example"),
        ("run_object{{example}}", ReferenceKind.RUN_OBJECT, "example"),
        ("pipeline_secret{example}", ReferenceKind.PIPELINE_SECRET, "example"),
        ("run_object{ example }", ReferenceKind.RUN_OBJECT, "example"),
        ("secret{{example}}", ReferenceKind.PIPELINE_SECRET, "example"),
        ("secret{example}", ReferenceKind.PIPELINE_SECRET, "example"),
        ("pipeline_secret{{a}} x {{b}}", ReferenceKind.PIPELINE_SECRET, "a}} x {{b"),
        ("pipeline_secret{{}}", ReferenceKind.PIPELINE_SECRET, ""),
        ("secret{}", ReferenceKind.PIPELINE_SECRET, ""),
    ],
)
def test_a_whole_value_is_a_reference(value: str, kind: ReferenceKind, key: str) -> None:
    assert Reference(kind=kind, key=key) == find_reference(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "normal_value",
        "run{{example}}",
        "x pipeline_secret{{a}}",
        "pipeline_secret{{a}} x",
        "pipeline_secret {{a}}",
        "Pipeline_Secret{{a}}",
        "PIPELINE_SECRET{{a}}",
        "pipeline_secret",
        "pipeline_secret{",
        "pipeline_secret{{",
        "pipeline_secret{{a}",
        "pipeline_secret{a}}",
        "pipeline_secret{a}{b}",
        "pipeline_secret}a{",
        "{{example}}",
    ],
)
def test_anything_else_is_plain_text(value: str) -> None:
    assert find_reference(value) is None


@pytest.mark.fuzz
@given(
    st.sampled_from(ReferenceKind),
    st.text(min_size=1).filter(lambda key: key == key.strip()),
)
def test_a_rendered_reference_is_found_again(kind: ReferenceKind, key: str) -> None:
    assert Reference(kind=kind, key=key) == find_reference(render_reference(kind, key))


@pytest.mark.parametrize("key", ["", " ", " a", "a\n"])
def test_a_key_that_would_not_be_found_again_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="name the key alone"):
        render_reference(ReferenceKind.RUN_OBJECT, key)


@pytest.mark.fuzz
@given(st.text(alphabet="secrt{}_ globaunpij", max_size=40))
def test_any_text_is_a_reference_or_not(value: str) -> None:
    found = find_reference(value)

    assert found is None or found.key == found.key.strip()
