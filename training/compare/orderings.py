"""Orderings: which claims of the papers the results of a comparison bear out.

``claims.json`` holds ``alpha``; ``left_out``, the keys of claims that need entries not
compared; and ``claims``, each with ``key``, ``source``, ``statement``, ``scope``,
``order`` (names of entries), ``shape`` (as `training.compare.claim` has it), ``verdict``,
``reason`` (why it was not run, else null) and ``steps``: ``better``, ``worse``,
``difference``, ``by_direction``, ``interval``, ``p_value``, ``by_seed``,
``seed_interval`` and ``verdict``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crossmodal.modality import Direction
from training.compare.claim import Claim
from training.compare.claim_entries import entry_for
from training.compare.paired import Difference, paired_differences
from training.compare.request import CompareRequest
from training.compare.rows import HEADLINE, Standing, UnitKeys, applies

ALPHA = 0.05
HOLDS, REVERSED, NOT_SHOWN, NOT_RUN = "holds", "reversed", "not shown", "not run"

Step = tuple[str, str]


def judge(
    claims: Sequence[Claim],
    request: CompareRequest,
    standings: Sequence[Standing],
    directions: Sequence[Direction],
    unit_keys: UnitKeys,
) -> dict[str, Any]:
    """Return the content of ``claims.json``.

    Args:
        claims: What is claimed.
        request: What was compared.
        standings: The entries with what they gave.
        directions: What is scored.
        unit_keys: As for `training.compare.rows.table_rows`.
    """
    by_name = {standing.entry.name: standing for standing in standings}
    wrong = {name: _lack(standing, directions) for name, standing in by_name.items()}
    orders: dict[str, list[str]] = {}
    for claim in claims:
        found = [
            entry_for(text, request.entries, request.preset, request.overrides)
            for text in claim.order
        ]
        names = [entry.name for entry in found if entry is not None]
        if len(names) == len(found):
            orders[claim.key] = names
    steps = dict.fromkeys(
        (orders[claim.key][better], orders[claim.key][worse])
        for claim in claims
        if claim.key in orders
        for better, worse in claim.steps
        if not any(wrong[name] for name in orders[claim.key])
    )
    pairs = [(by_name[better], by_name[worse]) for better, worse in steps]
    differences = dict(
        zip(steps, paired_differences(pairs, directions, unit_keys), strict=True)
    )
    return {
        "alpha": ALPHA,
        "claims": [
            _judged(claim, orders[claim.key], wrong, differences)
            for claim in claims
            if claim.key in orders
        ],
        "left_out": [claim.key for claim in claims if claim.key not in orders],
    }


def step_verdict(difference: Difference) -> str:
    """Return whether the first entry is shown to be above the second, or below, or neither.

    It takes both kinds of evidence: the test over queries and, given several seeds, an
    interval over them that leaves zero out.
    """
    over_seeds = difference.seed_interval
    sure = difference.p_value < ALPHA and (
        over_seeds is None or not over_seeds[0] <= 0 <= over_seeds[1]
    )
    if not sure:
        return NOT_SHOWN
    return HOLDS if difference.mean > 0 else REVERSED


def claim_verdict(verdicts: Iterable[str]) -> str:
    """Return a claim's verdict: it holds if every step does; one reversed reverses it."""
    found = set(verdicts)
    if found == {HOLDS}:
        return HOLDS
    return REVERSED if REVERSED in found else NOT_SHOWN


def _lack(standing: Standing, directions: Sequence[Direction]) -> str:
    """Return why an entry cannot be judged; empty if it can."""
    if not standing.complete:
        return standing.status
    if not all(applies(standing, str(d), HEADLINE) for d in directions):
        return "no class mAP on this data"
    return ""


def _judged(
    claim: Claim,
    order: Sequence[str],
    wrong: Mapping[str, str],
    differences: Mapping[Step, Difference],
) -> dict[str, Any]:
    reasons = [f"{name}: {wrong[name]}" for name in order if wrong[name]]
    steps: list[dict[str, Any]] = []
    for better, worse in claim.steps if not reasons else ():
        found = differences[order[better], order[worse]]
        steps.append(
            {
                "better": order[better],
                "worse": order[worse],
                "difference": found.mean,
                "by_direction": dict(found.by_direction),
                "interval": list(found.interval),
                "p_value": found.p_value,
                "by_seed": list(found.by_seed),
                "seed_interval": found.seed_interval and list(found.seed_interval),
                "verdict": step_verdict(found),
            }
        )
    return {
        "key": claim.key,
        "source": claim.source,
        "statement": claim.statement,
        "scope": {data: list(figures) for data, figures in claim.scope.items()},
        "order": list(order),
        "shape": claim.shape,
        "verdict": NOT_RUN if reasons else claim_verdict(s["verdict"] for s in steps),
        "reason": "; ".join(reasons) or None,
        "steps": steps,
    }
