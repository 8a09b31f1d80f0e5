"""Exceptions from Pulumi's own view of changes stand in one table, each with its reason."""

from __future__ import annotations

from pathlib import Path

from infra.rules import RULES, options

INFRA = Path(__file__).parents[2] / "infra"


def test_no_other_file_sets_exceptions() -> None:
    """Neither ignore_changes nor replace_on_changes outside of infra/rules.py."""
    users = {
        file.name
        for file in INFRA.rglob("*.py")
        if any(word in file.read_text(encoding="utf-8") for word in ("ignore_changes", "replace_on_changes"))
    }
    assert users == {"rules.py"}


def test_nothing_is_ignored_as_a_whole_and_each_has_a_reason() -> None:
    """A change that is ignored silently is what this table is there to prevent."""
    for kind, rule in RULES.items():
        assert not any(path.startswith("*") for path in rule.ignore), kind
        assert all(len(reason) > 20 for reason in [*rule.ignore.values(), *rule.replace.values()]), kind


def test_what_is_replaced_by_our_rule_goes_before_its_successor_comes() -> None:
    """Both have one name: a domain whose emulator moved could never be replaced ("domain already exists")."""
    assert {kind: options(kind).delete_before_replace for kind in RULES} == {
        "server container": None,
        "tool container": None,
        "domain": True,
    }
