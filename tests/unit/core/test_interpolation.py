"""What references are, and what comes into their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.core.interpolation import MAX_VARIABLE_BYTES, ReferringVariable, fault_of_value, references, rendered
from gofer.core.run import Variable, VariableSource
from gofer.core.secret import Secret
from gofer_sdk.rules.references import Reference, ReferenceKind, render_reference

PASSWORD = ReferringVariable(
    key="PASSWORD", reference=Reference(kind=ReferenceKind.PIPELINE_SECRET, key="db")
)  # of a value from the config

values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0="), min_size=1)
sources = st.sampled_from(VariableSource)


def variable(value: str, source: VariableSource = VariableSource.PIPELINE_CONFIG, key: str = "KEY") -> Variable:
    return Variable(key=key, value=value, source=source)


def found(value: str) -> tuple[str, str] | None:
    for each in references([variable(value)]):
        return each.reference.kind.value, each.reference.key
    return None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pipeline_secret{{example}}", ("pipeline_secret", "example")),
        (" pipeline_secret{{ example }} ", ("pipeline_secret", "example")),
        ("pipeline_secret{example}", ("pipeline_secret", "example")),
        ("secret{{example}}", ("pipeline_secret", "example")),
        ("secret{example}", ("pipeline_secret", "example")),
        ("global_secret{{example}}", ("global_secret", "example")),
        ("pipeline_secret{{a}} x {{b}}", ("pipeline_secret", "a}} x {{b")),
        ("run{{example}}", None),
        ("normal_value", None),
        ("x pipeline_secret{{a}}", None),
        ("Pipeline_Secret{{a}}", None),
        ("${PASSWORD}", None),
    ],
)
def test_a_value_is_a_reference_only_as_a_whole(value: str, expected: tuple[str, str] | None) -> None:
    assert expected == found(value)


@pytest.mark.fuzz
@given(st.lists(st.tuples(keys, values, sources), unique_by=lambda each: each[0]))
def test_what_is_no_reference_of_the_config_reaches_the_container_as_it_is(
    given_variables: list[tuple[str, str, VariableSource]],
) -> None:
    variables = [variable(value, source, key) for key, value, source in given_variables]
    referring = {each.key for each in references(variables)}

    environment = rendered(variables, {key: Secret("resolved") for key in referring})

    assert {each.key for each in variables} == environment.keys()
    for each in variables:
        assert ("resolved" if each.key in referring else each.value) == environment[each.key]
        assert each.source is VariableSource.PIPELINE_CONFIG or each.key not in referring


@pytest.mark.fuzz
@given(st.sampled_from(ReferenceKind), keys.map(str.strip).filter(bool), sources)
def test_a_written_reference_is_found_in_the_config_and_nowhere_else(
    kind: ReferenceKind, key: str, source: VariableSource
) -> None:
    (*referring,) = references([variable(render_reference(kind, key), source)])

    expected = [(kind, key)] if source is VariableSource.PIPELINE_CONFIG else []
    assert expected == [(each.reference.kind, each.reference.key) for each in referring]


@pytest.mark.fuzz
@given(values)
def test_a_resolved_value_is_not_looked_at_again(value: str) -> None:
    """What a secret holds is no template: one that looks like a reference is a text."""
    environment = rendered([variable("secret{{a}}")], {"KEY": Secret(value)})

    assert {"KEY": value} == environment


def test_a_value_that_no_variable_can_hold_is_refused_without_being_shown() -> None:
    with_nul = fault_of_value(PASSWORD, Secret("hunter22\0"))
    large = fault_of_value(PASSWORD, Secret("hunter22" * 16_384))

    assert "variable 'PASSWORD' refers to the pipeline secret 'db', which holds a NUL character: no variable can" == (
        with_nul
    )
    assert large is not None
    assert "too large for a variable" in large
    assert "hunter" not in large


def test_the_largest_value_that_fits_is_taken() -> None:
    room = MAX_VARIABLE_BYTES - len("PASSWORD=\0")

    assert fault_of_value(PASSWORD, Secret("x" * room)) is None
    assert fault_of_value(PASSWORD, Secret("x" * (room + 1))) is not None
