import re
from pathlib import Path

import pytest

from gofer.config.keys import Key, all_keys
from gofer.config.load import load_settings
from gofer.config.sample import MARK, sample_config
from gofer.config.settings import Settings

KEYS = [key for key in all_keys() if key.path[0] != "development"]


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "gofer.hcl"
    path.write_text(text)
    return load_settings(config_path=path, dev_mode=False, environment={}, home=tmp_path).settings


def test_what_is_marked_is_what_production_asks_for() -> None:
    marked = [line.split(" = ")[0].strip() for line in sample_config().splitlines() if MARK in line]

    assert ["encryption_key", "tls_cert_path", "tls_key_path"] == sorted(marked)


def test_with_its_marks_it_is_all_defaults_but_for_where_the_data_lies(tmp_path: Path) -> None:
    settings = load(tmp_path, sample_config())

    assert settings.server.storage_path == Path("/var/lib/gofer/gofer.db")
    assert settings.task_run_logs_dir == Path("/var/lib/gofer/logs")
    assert settings.run_parallelism_limit == 200


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_is_explained(key: Key) -> None:
    text = sample_config()

    assert re.search(rf"^ *(# )?{key.path[-1]} = ", text, re.MULTILINE)
    assert " ".join(key.meaning.split())[:60] in text


def test_the_defaults_that_it_shows_can_be_uncommented(tmp_path: Path) -> None:
    shown = re.sub(r"^( *)# ([a-z_]+ = )", r"\1\2", sample_config(), flags=re.MULTILINE)

    assert load(tmp_path, shown) == load(tmp_path, sample_config())


def test_no_line_ends_in_blanks() -> None:
    assert [] == [line for line in sample_config().splitlines() if line != line.rstrip()]
