import pytest

from gofer.core.interpolation import references
from gofer.core.run import Variable, VariableSource
from gofer.core.variables import environment
from gofer_sdk.rules.references import ReferenceKind
from tests.factories import make_run, make_task


def shown(variables: tuple[Variable, ...]) -> dict[str, tuple[str, str]]:
    return {variable.key: (variable.value, variable.source.value) for variable in variables}


def test_the_system_names_the_run_and_the_task() -> None:
    assert {
        "GOFER_NAMESPACE_ID": ("default", "SYSTEM"),
        "GOFER_PIPELINE_ID": ("simple", "SYSTEM"),
        "GOFER_RUN_ID": ("7", "SYSTEM"),
        "GOFER_TASK_ID": ("hello", "SYSTEM"),
        "GOFER_TASK_IMAGE": ("busybox:latest", "SYSTEM"),
    } == shown(environment(make_run(7), make_task("hello")))


@pytest.mark.parametrize(
    ("config", "options", "expected"),
    [
        ({}, {}, ("7", "SYSTEM")),
        ({"GOFER_RUN_ID": "x"}, {}, ("x", "PIPELINE_CONFIG")),
        ({"GOFER_RUN_ID": "x"}, {"GOFER_RUN_ID": "y"}, ("y", "RUN_OPTIONS")),
        ({}, {"GOFER_RUN_ID": "y"}, ("y", "RUN_OPTIONS")),
    ],
)
def test_what_is_given_for_one_run_beats_the_config_which_beats_the_system(
    config: dict[str, str], options: dict[str, str], expected: tuple[str, str]
) -> None:
    variables = environment(make_run(7, variables=options), make_task(variables=config))

    assert expected == shown(variables)["GOFER_RUN_ID"]
    assert 1 == [variable.key for variable in variables].count("GOFER_RUN_ID")


def test_the_same_key_is_never_there_twice() -> None:
    variables = environment(make_run(variables={"foo": "b"}), make_task(variables={"foo": "a"}))

    assert [("foo", "b")] == [(each.key, each.value) for each in variables if each.key == "foo"]


def test_keys_compare_exactly_and_keep_their_spelling() -> None:
    found = shown(
        environment(make_run(7, variables={"FOO": "b"}), make_task(variables={"foo": "a", "gofer_run_id": "x"}))
    )

    assert ("a", "b", "x", "7") == tuple(found[key][0] for key in ("foo", "FOO", "gofer_run_id", "GOFER_RUN_ID"))


def test_the_empty_key_is_dropped() -> None:
    assert "" not in shown(environment(make_run(variables={"": "b"}), make_task(variables={"": "a"})))


def test_the_order_is_that_of_the_sources_and_within_them_as_given() -> None:
    run = make_run(variables={"two": "2", "new": "3"})

    variables = environment(run, make_task(variables={"one": "1", "two": "x"}))

    assert ["GOFER_TASK_IMAGE", "one", "two", "new"] == [variable.key for variable in variables][4:]


def test_a_token_is_shown_as_injected_where_the_task_asks_for_it() -> None:
    asked = shown(environment(make_run(), make_task(inject_api_token=True)))
    not_asked = shown(environment(make_run(), make_task()))

    assert {("<injected>", "SYSTEM")} == {
        asked[key] for key in ("GOFER_API_TOKEN", "GOFER_CLI_TOKEN", "GOFER_CLI_HOST", "GOFER_CLI_TLS_CA")
    }
    assert ("default", "SYSTEM") == asked["GOFER_CLI_NAMESPACE"]
    assert "GOFER_API_TOKEN" not in not_asked


def test_references_are_found_in_values_of_the_config_only() -> None:
    config = {"A": " pipeline_secret{{ a }} ", "B": "run{{b}}", "C": "run_object{c}", "D": "secret{{d}}"}
    run = make_run(variables={"D": "plain", "E": "global_secret{{e}}"})

    found = references(environment(run, make_task(variables=config)))

    assert [("A", ReferenceKind.PIPELINE_SECRET, "a"), ("C", ReferenceKind.RUN_OBJECT, "c")] == [
        (each.key, each.reference.kind, each.reference.key) for each in found
    ]


def test_a_reference_from_an_extension_or_the_system_is_literal() -> None:
    sources = [source for source in VariableSource if source is not VariableSource.PIPELINE_CONFIG]

    assert () == references(Variable(key="A", value="secret{{a}}", source=source) for source in sources)
