"""Findings: what an examination found, told in plain words with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.markup import escape


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and the remedy unless it is fine."""

    level: Level
    what: str
    remedy: str = ""


def print_findings(findings: Iterable[Finding]) -> bool:
    """Print findings as they come; tell whether there was no problem."""
    console = Console(soft_wrap=True)
    healthy = True
    for finding in findings:
        healthy &= finding.level is not Level.PROBLEM
        style = STYLES[finding.level]
        console.print(f"[{style}]{finding.level:>7}[/]  {escape(finding.what)}")
        if finding.remedy:
            console.print(f"{'':>7}  {escape(finding.remedy)}", highlight=False)
    return healthy
