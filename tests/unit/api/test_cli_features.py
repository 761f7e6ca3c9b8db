"""Commands are found in the feature that brings them, alone as well as together."""

from __future__ import annotations

import pytest
import typer

from api.cli.main import FEATURES, build


def names(app: typer.Typer) -> set[str]:
    group = typer.main.get_group(app)
    return set(group.commands)


def test_every_command_stands_in_the_table() -> None:
    assert names(build()) == {c for commands in FEATURES.values() for c in commands}


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_one_feature_alone_has_its_commands(feature: str) -> None:
    # A second command makes Typer keep the names even where a feature brings only one.
    app = build(FEATURES[feature][0])
    app.command("other")(lambda: None)
    assert names(app) == {*FEATURES[feature], "other"}


def test_an_unknown_command_is_answered_with_all_of_them() -> None:
    assert names(build("no-such-thing")) == names(build())
