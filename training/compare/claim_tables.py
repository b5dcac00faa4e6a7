"""Claims as tables for people: what is claimed and shown, and the figures of every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.compare.claim import FIRST
from training.compare.layout import MISSING, Table
from training.compare.orderings import NOT_RUN

Judged = Mapping[str, Any]


def claim_tables(judged: Judged) -> list[Table]:
    """Return the table of claims and that of their steps; none if nothing was judged.

    Args:
        judged: The content of ``claims.json``.
    """
    claims = judged["claims"]
    if not claims:
        return []
    tables = [
        Table(
            "Claims of the papers",
            ["claim", "order", "source", "figures there", "verdict here"],
            [
                [c["statement"], _order(c), c["source"], _scope(c["scope"]), c["verdict"]]
                for c in claims
            ],
        )
    ]
    steps = {(s["better"], s["worse"]): s for claim in claims for s in claim["steps"]}
    if steps:
        tables.append(
            Table(
                "Their steps: difference of class mAP, mean of the directions",
                [
                    "said to be better",
                    "than",
                    "difference",
                    "95 % over queries",
                    "p",
                    "95 % over seeds",
                    "seeds above 0",
                    "verdict",
                ],
                [_step(step) for step in steps.values()],
            )
        )
    return tables


def claim_notes(judged: Judged, card: Mapping[str, Any]) -> list[str]:
    """Return what must be known to read them, a sentence or two per line.

    Args:
        judged: The content of ``claims.json``.
        card: That of ``compare.json``.
    """
    left = len(judged["left_out"])
    lines = []
    if judged["claims"]:
        alpha = judged["alpha"]
        lines = [
            f"A step holds if the difference is above 0 both by a paired randomisation "
            f"test over queries (p < {alpha:g}) and by a t interval over seeds; it is "
            "reversed if it is below 0 by both; else it is not shown, which does not say "
            "that the two are equal. A claim holds if all its steps do and is reversed if "
            "one is.",
            f"Not corrected for their number: of 20 steps between equals, "
            f"{20 * alpha:g} would be taken for a difference by the test alone.",
            "The sources speak of their own data, features and settings; here it is "
            f"{card['data']['name']} with the settings of preset "
            f"{card['request']['preset']}. What is reversed here may hold there.",
        ]
        if len(card["request"]["seeds"]) == 1:
            lines.append("There is one seed: the luck of training is in no interval.")
        if any(entry["pairs"] == "drawn" for entry in card["entries"]):
            lines.append(
                "Without pairs in the data, methods of pairs learned from pairs drawn "
                "within a class: claims that labels help them are not tested by it."
            )
    lines += [
        f"Not run: {c['statement']} ({c['reason']})"
        for c in judged["claims"]
        if c["verdict"] == NOT_RUN
    ]
    if left:
        lines.append(
            f"{left} more claims of the papers are of entries not compared here; "
            "--methods all,claims compares them."
        )
    return lines


def _order(claim: Mapping[str, Any]) -> str:
    first, *others = claim["order"]
    return f"{first} > {(', ' if claim['shape'] == FIRST else ' > ').join(others)}"


def _scope(scope: Mapping[str, Sequence[float]]) -> str:
    return "; ".join(
        " ".join([data, ", ".join(f"{figure:.3f}" for figure in figures)]).strip()
        for data, figures in scope.items()
    )


def _step(step: Mapping[str, Any]) -> list[str]:
    by_seed = step["by_seed"]
    return [
        step["better"],
        step["worse"],
        f"{step['difference']:+.3f}",
        _interval(step["interval"]),
        f"{step['p_value']:.4f}",
        _interval(step["seed_interval"]),
        f"{sum(value > 0 for value in by_seed)} of {len(by_seed)}",
        step["verdict"],
    ]


def _interval(bounds: Sequence[float] | None) -> str:
    return MISSING if bounds is None else f"{bounds[0]:+.3f} to {bounds[1]:+.3f}"
