"""What is kept gives the same bytes as what is encoded afresh."""

from collections.abc import Callable
from datetime import timedelta

from gofer.api.convert.pipelines import config_row_key, config_to_proto
from gofer.api.convert.runs import run_row_key, run_to_proto
from gofer.api.encoded import EncodedParts
from gofer.core.pipeline import ConfigState
from gofer.core.run import Run, StopRequest
from gofer_sdk._proto import proto
from gofer_sdk.codec import encode
from tests.factories import NOW, make_config, make_run

LATER = NOW + timedelta(seconds=1)


class Maker:
    """Makes messages and counts them."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def of(self, run: Run) -> Callable[[], proto.Run]:
        def make() -> proto.Run:
            self.made.append(run.id)
            return run_to_proto(run)

        return make


def reply(*runs: Run) -> bytes:
    return encode(proto.ListRunsResponse(runs=[run_to_proto(run) for run in runs]))


async def test_a_list_is_its_items_joined_in_their_order() -> None:
    first, second = make_run(1), make_run(2, variables={"KEY": "x" * 300})
    parts, maker = EncodedParts(field=1), Maker()

    joined = await parts.joined([(run_row_key(run), maker.of(run)) for run in (second, first)])

    assert reply(second, first) == joined


async def test_only_what_is_not_kept_is_made() -> None:
    first, second, third = (make_run(number) for number in (1, 2, 3))
    parts, maker = EncodedParts(field=1), Maker()
    await parts.joined([(run_row_key(run), maker.of(run)) for run in (first, second)])

    joined = await parts.joined([(run_row_key(run), maker.of(run)) for run in (third, second, first)])

    assert [1, 2, 3] == maker.made
    assert reply(third, second, first) == joined


async def test_a_large_list_is_the_same_list() -> None:
    runs = [make_run(number, variables={"KEY": "x" * 2000}) for number in range(1, 101)]
    parts, maker = EncodedParts(field=1, limit_bytes=50_000), Maker()

    for _ in range(2):
        assert reply(*runs) == await parts.joined([(run_row_key(run), maker.of(run)) for run in runs])


async def test_what_is_kept_has_a_limit_and_the_oldest_goes_first() -> None:
    runs = [make_run(number) for number in range(1, 101)]
    parts, maker = EncodedParts(field=1, limit_bytes=5000), Maker()
    await parts.joined([(run_row_key(run), maker.of(run)) for run in runs])
    maker.made.clear()

    await parts.joined([(run_row_key(run), maker.of(run)) for run in (runs[-1], runs[0])])

    assert [1] == maker.made
    assert parts.size_bytes <= 5000


async def test_an_item_that_is_very_large_is_not_kept() -> None:
    run = make_run(1, variables={"KEY": "x" * 100_000})
    parts, maker = EncodedParts(field=1), Maker()

    for _ in range(2):
        assert reply(run) == await parts.joined([(run_row_key(run), maker.of(run))])

    assert [1, 1] == maker.made
    assert 0 == parts.size_bytes


def test_the_key_of_a_run_tells_all_changes_apart() -> None:
    changed = (
        make_run(1),
        make_run(2),
        make_run(1, revision=1),
        make_run(1, stop_request=StopRequest(at=NOW, force=False)),
        make_run(1, stop_request=StopRequest(at=NOW, force=True)),
        make_run(1, objects_expired=True),
    )

    assert len(changed) == len({run_row_key(run) for run in changed})


def test_the_key_of_a_version_tells_all_changes_apart() -> None:
    changed = (
        make_config(1),
        make_config(2),
        make_config(1, registered_at=LATER),
        make_config(1, state=ConfigState.LIVE),
        make_config(1, state=ConfigState.DEPRECATED, deprecated_at=LATER),
    )

    assert len(changed) == len({config_row_key(config) for config in changed})
    assert len(changed) == len({encode(config_to_proto(config)) for config in changed})
