"""The report: everything a comparison found, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossmodal.durable import write_bytes
from training.compare.results import Results
from training.compare.rows import HEADLINE, MEAN
from training.protocol.sweep import Sweep
from training.protocol.trials import Trials
from training.report import (
    claims,
    classes,
    curves,
    glance,
    hits,
    losses,
    maps,
    sweeps,
    tables,
)
from training.report.page import Section, document, paragraph
from training.report.searches import searched
from training.report.standing import Standing, number

NAME = "report.html"


def write_report(results: Results, path: Path, extra: Sequence[Trials] = ()) -> None:
    """Write the report of a finished comparison.

    Args:
        results: The comparison.
        path: The HTML file to write.
        extra: Sweeps made apart from it, to stand beside its own searches.
    """
    standing = Standing(results)
    data = results.card["data"]
    title = f"{data['name']}: {len(results.entries)} methods compared"
    page = document(title, _lead(standing), _sections(standing, extra))
    write_bytes(path, page.encode())


def write_sweep_report(sweep: Sweep, path: Path) -> None:
    """Write a sweep's figures as one HTML file.

    Args:
        sweep: The sweep.
        path: The HTML file to write.
    """
    trials, card = sweep.trials, sweep.card
    lead = [
        paragraph(
            f"{trials.name} on {card['data']}: {len(trials.trials)} combinations, scored "
            f"on {trials.scored_on}, the mean of all directions; best "
            f"{number(trials.best.score)}."
        )
    ]
    sections = [
        Section("Parameter sweep", sweeps.sweep(trials, "sweep")),
        Section("Command and environment", tables.made_with(card)),
    ]
    page = document(f"{card['data']}: {trials.name} by setting", lead, sections)
    write_bytes(path, page.encode())


def _lead(standing: Standing) -> list[str]:
    results = standing.results
    card = results.card
    seeds = card["request"]["seeds"]
    folds = card["request"]["folds"]
    scored = f"{folds} folds" if folds else f"the {card['data']['split']} split"
    times = f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"
    sentences = [
        f"Scored on {scored}, {times} each; settings and epochs were chosen on validation "
        "data. Every figure is drawn from the files of the comparison."
    ]
    for name in standing.best(1):
        row = standing.row(name, MEAN, HEADLINE)
        interval = row["interval"]
        bounds = (
            f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
        )
        random = standing.row(name, MEAN, "random_mean_average_precision")["mean"]
        sentences.append(
            f"Best mean average precision: {name} with {number(row['mean'])}{bounds}; "
            f"random rankings expect {number(random)}."
        )
    failed = [e["name"] for e in card["entries"] if e["status"] != "ok"]
    if failed:
        sentences.append(
            f"Without a full result, for the reasons given: {', '.join(failed)}."
        )
    return [paragraph(sentence) for sentence in sentences]


def _sections(standing: Standing, extra: Sequence[Trials]) -> list[Section]:
    if not standing.ranked:
        return [
            Section("Methods", tables.entries_table(standing)),
            Section("Command and environment", tables.provenance(standing)),
        ]
    return [
        Section("Results", [*glance.glance(standing), *tables.results_tables(standing)]),
        Section("Claims", claims.claims(standing)),
        Section("Methods", tables.entries_table(standing)),
        Section("Precision and recall", curves.precision_recall(standing)),
        Section("Precision and scope", curves.precision_scope(standing)),
        Section(
            "Classes",
            [*classes.precision_by_class(standing), *classes.items_per_class(standing)],
        ),
        Section("Confusion", classes.confusion(standing)),
        Section("First hits", hits.hits(standing)),
        Section("Maps", maps.maps(standing)),
        Section("Loss curves", losses.loss_curves(standing)),
        Section("Parameter sweeps", _sweeps(standing, extra)),
        Section("Ablations", tables.ablations(standing)),
        Section("Time", [*tables.time_table(standing), *glance.time_cost(standing)]),
        Section("Command and environment", tables.provenance(standing)),
    ]


def _sweeps(standing: Standing, extra: Sequence[Trials]) -> list[str]:
    own = [searched(standing, name) for name in standing.ranked]
    every = [*extra, *(trials for trials in own if trials is not None)]
    return [
        part
        for order, trials in enumerate(every)
        for part in sweeps.sweep(trials, f"sweep-{order}")
    ]
