"""Acknowledged writes against what the service has stored: none may be lost, doubled or changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labkit.measure.prober._sender import payload
from labkit.measure.prober.sample import Sample
from labkit.system.errors import LabError

_PAGE = 500
_ANSWER_S = 5.0
_PAUSE_S = 0.2

Entries = Sequence[tuple[int, str]]
"""What one store has of a client: seq and payload, as it lists them."""


@dataclass(frozen=True)
class Ledger:
    """The end of an account. Numbers are the entries' `seq`."""

    acknowledged: int
    stored: int
    """Distinct entries of this client in the stores."""
    lost: tuple[int, ...]
    """Acknowledged, but in no store."""
    doubled: tuple[int, ...]
    """Stored more than once."""
    changed: tuple[int, ...]
    """Stored with another payload than was sent."""
    unacknowledged: int
    """Stored without an acknowledgement: no fault, since a failed request may have been carried out."""

    @property
    def sound(self) -> bool:
        """What was acknowledged is there, once, as it was sent."""
        return not (self.lost or self.doubled or self.changed)


def acknowledged(samples: Iterable[Sample]) -> frozenset[int]:
    """The writes that were confirmed. A prober's samples are its ledger: they are on disk as they come."""
    return frozenset(one.seq for one in samples if one.kind == "write" and one.good)


def settle(client: str, confirmed: Iterable[int], stores: Sequence[Entries]) -> Ledger:
    """Hold what was confirmed against what the stores have. Pure.

    A seq that one store lists twice, or that is in two stores, is doubled: replicas with one store between them are
    given as one.
    """
    confirmed = frozenset(confirmed)
    counts = Counter(seq for entries in stores for seq, _ in entries)
    changed = {seq for entries in stores for seq, text in entries if text != payload(client, seq)}
    return Ledger(
        acknowledged=len(confirmed),
        stored=len(counts),
        lost=tuple(sorted(confirmed - counts.keys())),
        doubled=tuple(sorted(seq for seq, count in counts.items() if count > 1)),
        changed=tuple(sorted(changed)),
        unacknowledged=len(counts.keys() - confirmed),
    )


def audit(client: str, samples: Iterable[Sample], urls: Sequence[str], within_s: float = 30.0) -> Ledger:
    """Read every store, one URL each, and settle. Raises LabError when a store does not answer within `within_s`."""
    deadline = time.monotonic() + within_s
    return settle(client, acknowledged(samples), [fetch(url, client, deadline) for url in urls])


def fetch(url: str, client: str, deadline: float) -> Entries:
    """All entries of a client that a store has, page by page, asking again until `deadline` (monotonic)."""
    from infra.answers import Service  # noqa: PLC0415 - heavy, and only an audit needs it

    found: list[tuple[int, str]] = []
    after: int | None = -1
    with Service(url, _ANSWER_S) as service:
        while after is not None:
            try:
                answer = service.get(f"/entries?client={client}&after={after}&limit={_PAGE}")
                answer.raise_for_status()
                entries, following = _page(answer.json(), after)
            except (OSError, ValueError, KeyError, TypeError) as error:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"The ledger of {client} cannot be settled: {url}/entries: {error}", hint="./lab status"
                    ) from error
                time.sleep(_PAUSE_S)
            else:
                found += entries
                after = following
    return found


def _page(page: Mapping[str, object], after: int) -> tuple[Entries, int | None]:
    listed, following = page["entries"], page["next"]
    if not isinstance(listed, list) or not (following is None or isinstance(following, int)):
        raise TypeError("not a page of entries")
    if following is not None and following <= after:
        raise ValueError(f"next is {following} after {after}: these pages have no end")
    return [(int(one["seq"]), str(one["payload"])) for one in listed], following
