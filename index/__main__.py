"""``python -m index``: build a data directory, say what it holds, check it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from crossmodal import console
from crossmodal.console import Format
from index.add import add as add_to_collection
from index.add import check_bundle
from index.backup import back_up
from index.build import build as build_collection
from index.collection import Collection
from index.galleries.kinds import AUTO
from index.jobs.following import have_done
from index.options import (
    Data,
    FeaturesOption,
    FormatOption,
    KindOption,
    MediaOption,
    MemoryOption,
    RecallOption,
    SplitOption,
    WorkersOption,
    base_settings,
)
from index.printing import in_words, print_added, print_table
from index.sources.sourcing import EVERY_SPLIT
from index.verify import verify as verify_collection
from index.versions import commands as changing_commands
from index.work import ADD, add_params
from index.writing.compaction import CompactionPolicy

app = typer.Typer(
    help="Build, describe and check data directories.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def build(
    bundle: Annotated[Path, typer.Option(help="Bundle to embed with.")],
    source: Annotated[Path, typer.Option(help="Media folder, manifest or features file.")],
    out: Annotated[Path, typer.Option(help="Data directory to make.")],
    features: FeaturesOption = None,
    split: SplitOption = EVERY_SPLIT,
    workers: WorkersOption = None,
    media: MediaOption = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the collection in --out.")
    ] = False,
    kind: KindOption = AUTO,
    memory: MemoryOption = 0,
    recall: RecallOption = 0.99,
    output: FormatOption = Format.TABLE,
) -> None:
    """Embed clips or ready features and index them.

    A file that cannot be read is reported and skipped. The data directory appears whole
    or not at all, and holds a copy of the bundle: serving needs nothing else.
    """
    report = build_collection(
        bundle,
        source,
        out,
        features=features,
        split=split,
        workers=workers,
        keep_media=media,
        replace=force,
        bases=base_settings(kind, memory, recall),
        progress=console.progress,
    )
    for skipped in report.skipped:
        console.note(f"skipped {skipped.item_id}: {skipped.reason}")
    if report.skipped:
        console.note(f"{len(report.skipped)} items were left out")
    if output is Format.JSON:
        skips = [skipped._asdict() for skipped in report.skipped]
        console.print_json(asdict(report) | {"out": str(out), "skipped": skips})
        return
    counts = ", ".join(f"{count} {modality}" for modality, count in report.vectors.items())
    console.note(f"{report.items} items: {counts} vectors, in {report.seconds:.1f} s")
    print(out)


@app.command()
def info(directory: Data, output: FormatOption = Format.TABLE) -> None:
    """Say what a data directory holds."""
    with Collection.open(directory) as collection:
        known = {"directory": str(directory), **collection.info()}
    if output is Format.JSON:
        console.print_json(known)
    else:
        print_table({name: in_words(value) for name, value in known.items()})


@app.command()
def add(
    source: Annotated[
        Path, typer.Argument(help="Media folder, manifest or features file.")
    ],
    data: Annotated[Path, typer.Option(help="Data directory to add to.")],
    bundle: Annotated[
        Path | None,
        typer.Option(help="The bundle meant, to be compared with the directory's own."),
    ] = None,
    features: FeaturesOption = None,
    split: SplitOption = EVERY_SPLIT,
    workers: WorkersOption = None,
    media: MediaOption = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="Embed stored items anew.")
    ] = False,
    served: Annotated[
        bool, typer.Option("--served", help="Let the service that holds --data do it.")
    ] = False,
    kind: KindOption = AUTO,
    memory: MemoryOption = 0,
    recall: RecallOption = 0.99,
    output: FormatOption = Format.TABLE,
) -> None:
    """Embed more with the directory's own bundle, and store what is not there yet.

    Each item is durable once it is stored: after an interruption, the same command goes
    on where it was. A directory that a service holds is added to with --served: the
    service does it as a job, which goes on if this command is stopped or the service
    starts anew; the source must be readable by the service under the same path.
    """
    if served:
        check_bundle(data, bundle)
        params = add_params(
            source,
            features=features,
            split=split,
            workers=workers,
            keep_media=media,
            replace=replace,
        )
        told = have_done(data, ADD, params, progress=console.progress, waiting=console.note)
        print_added(data, told, output)
        return
    report = add_to_collection(
        data,
        source,
        bundle=bundle,
        features=features,
        split=split,
        workers=workers,
        keep_media=media,
        replace=replace,
        bases=base_settings(kind, memory, recall),
        progress=console.progress,
    )
    skipped = [skip._asdict() for skip in report.skipped]
    print_added(
        data, asdict(report) | {"skipped": skipped, "left_out": len(skipped)}, output
    )


@app.command()
def compact(
    directory: Data,
    kind: KindOption = AUTO,
    memory: MemoryOption = 0,
    recall: RecallOption = 0.99,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make the index files anew from everything stored."""
    policy = CompactionPolicy(bases=base_settings(kind, memory, recall))
    with Collection.open(directory, write=True, policy=policy) as collection:
        manifest = collection.compact()
    if output is Format.JSON:
        console.print_json(asdict(manifest))
        return
    bases = sorted(manifest.bases.items())
    counts = ", ".join(f"{base.count} {m} vectors ({base.kind})" for m, base in bases)
    console.note(f"{counts}, up to write {manifest.seq}")
    print(directory)


@app.command()
def backup(
    directory: Data,
    out: Annotated[Path, typer.Option(help="The copy to make; a new directory.")],
    output: FormatOption = Format.TABLE,
) -> None:
    """Copy a data directory, also while it is served; the copy can be served itself."""
    made = back_up(directory, out)
    if output is Format.JSON:
        console.print_json(asdict(made))
        return
    console.note(f"{made.items} items and {made.media} media files, up to write {made.seq}")
    print(out)


@app.command()
def verify(directory: Data, output: FormatOption = Format.TABLE) -> None:
    """Check every checksum, and search against brute force; status 1 if any fails."""
    checks = verify_collection(directory)
    if output is Format.JSON:
        console.print_json([check._asdict() for check in checks])
    else:
        print_table(
            {
                check.name: f"{'ok' if check.ok else 'FAILED'}: {check.detail}"
                for check in checks
            }
        )
    if not all(check.ok for check in checks):
        raise typer.Exit(console.FAILURE)


for command in (
    changing_commands.reembed,
    changing_commands.switch,
    changing_commands.discard,
):
    app.command()(command)

if __name__ == "__main__":
    console.run(app)
