"""``fetch``: public data sets: where they are, downloaded where possible, checked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from crossmodal import console
from crossmodal.errors import ConfigError, DataError
from training.datasets.download import download
from training.datasets.findings import Finding, Level, check_file
from training.datasets.public import PUBLIC, PublicSet

SIGNS = {Level.OK: "ok     ", Level.NOTE: "note   ", Level.PROBLEM: "PROBLEM"}


def fetch(
    name: Annotated[
        str | None, typer.Argument(help=f"{', '.join(PUBLIC)}; nothing lists them.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory to download to; default var/sets/NAME.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="A file you have: is it what NAME should be?")
    ] = None,
    format: Annotated[console.Format, typer.Option(help="How to print.")] = (
        console.Format.TABLE
    ),
) -> None:
    """Say where a public data set is, download what has a direct address, check a file.

    With --check nothing is downloaded; the exit status is 1 if there is a problem.
    """
    if name is None:
        _list(format)
        return
    if name not in PUBLIC:
        raise ConfigError(f"fetch {name}: expected one of {', '.join(PUBLIC)}")
    public = PUBLIC[name]
    if check is not None:
        _report(check, check_file(check, public.shapes), format)
        return
    for line in _about(public):
        console.note(line)
    if not public.files:
        console.note("it has no direct address: fetch it by hand, then --check it")
        return
    target = out or Path("var") / "sets" / name
    _download(public, target)
    print(target)


def _list(format: console.Format) -> None:
    if format is console.Format.JSON:
        console.print_json([_as_json(public) for public in PUBLIC.values()])
        return
    for public in PUBLIC.values():
        how = "downloads" if public.files else "by hand"
        print(f"{public.name:10} {how:9} {public.title}")


def _as_json(public: PublicSet) -> dict[str, Any]:
    return {
        "name": public.name,
        "title": public.title,
        "source": public.source,
        "downloads": [file.url for file in public.files],
        "pages": [place.url for place in public.places],
        "shapes": [
            {
                "name": shape.name,
                "train": shape.train,
                "test": shape.test,
                "classes": len(shape.classes),
                "dims": {m.value: dim for m, dim in shape.dims.items()},
            }
            for shape in public.shapes
        ],
    }


def _about(public: PublicSet) -> list[str]:
    lines = [public.title, f"  source: {public.source}"]
    for file in public.files:
        lines.append(f"  direct: {file.url}")
        lines.append(f"          {file.size_bytes:,} bytes, sha256 {file.sha256}")
    for place in public.places:
        lines.append(f"  by hand: {place.url}")
        lines.append(f"          {place.holds}; unverified, printed in {place.printed_in}")
    lines += [f"  note: {remark}" for remark in public.remarks]
    lines.append(f"  then: {public.usage}")
    lines.append(f"  and:  python -m training fetch {public.name} --check FILE")
    return lines


def _download(public: PublicSet, target: Path) -> None:
    stderr = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
    )
    with bar:
        for file in public.files:
            task = bar.add_task(file.name, total=file.size_bytes)
            download(file, target, advance=partial(bar.advance, task))


def _report(path: Path, findings: list[Finding], format: console.Format) -> None:
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if format is console.Format.JSON:
        console.print_json(
            [{"level": finding.level.value, "text": finding.text} for finding in findings]
        )
    else:
        for finding in findings:
            print(f"{SIGNS[finding.level]}  {finding.text}")
    if problems:
        raise DataError(f"{path}: {problems} problem{'s' if problems > 1 else ''}")
