"""`./lab exec` says what there is, or that nothing is up."""

from __future__ import annotations

import pytest

from labkit.commands import exec_
from labkit.lifecycle import places, set_up
from labkit.system import stack_files
from labkit.system.errors import LabError


@pytest.mark.parametrize(
    ("lab", "said"), [(None, "No lab is up, so"), ("deployment", "The lab deployment is not up, so")]
)
def test_where_no_lab_is_up_the_next_step_is_to_bring_it_up(
    monkeypatch: pytest.MonkeyPatch, lab: str | None, said: str
) -> None:
    """Without a lab that is up there is no list of replicas: the error says so, and its hint is `./lab up`."""
    monkeypatch.setattr(set_up, "need", lambda: None)
    monkeypatch.setattr(places, "of", lambda _ready, _lab: [])
    with pytest.raises(LabError) as refused:
        exec_.run("vm-1", [], lab)
    assert refused.value.problem == f"{said} there is no replica 'vm-1'."
    assert refused.value.hint == f"./lab up {lab or stack_files.example()}"
