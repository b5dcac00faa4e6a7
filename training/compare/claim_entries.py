"""Which entries the claims need, and which entry of a comparison stands for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from training.compare.claim import Claim
from training.compare.entry import TUNED, Entry, parse_entry
from training.compare.tuning import space
from training.config import override
from training.methods.catalog import method_named


def needed_entries(claims: Iterable[Claim], preset: str) -> list[Entry]:
    """Return entries so that every claim can be judged, each once.

    A method with the preset's own settings stands for the variant that spells one of
    them out.

    Args:
        claims: What is to be judged.
        preset: The common preset.
    """
    found: list[Entry] = []
    for claim in claims:
        for text in claim.order:
            wanted = parse_entry(text, preset)
            plain = parse_entry(wanted.method, preset)
            entry = plain if stands_for(plain, wanted, {}) else wanted
            if entry not in found:
                found.append(entry)
    return found


def entry_for(
    text: str,
    entries: Sequence[Entry],
    preset: str,
    overrides: Mapping[str, Mapping[str, str]],
) -> Entry | None:
    """Return the entry that stands for one of a claim; None if there is none.

    Args:
        text: The claim's entry.
        entries: Those compared.
        preset: The common preset.
        overrides: Settings common to the entries of a method, by method.
    """
    wanted = parse_entry(text, preset)
    common = overrides.get(wanted.method, {})
    return next((e for e in entries if stands_for(e, wanted, common)), None)


def stands_for(entry: Entry, wanted: Entry, common: Mapping[str, str]) -> bool:
    """Whether an entry is what a claim is about.

    It is if it starts from the same preset, has what the claim spells out, of its own or
    by the preset and beyond the reach of any search, and sets nothing else of its own.

    Args:
        entry: An entry compared.
        wanted: The claim's.
        common: Settings that all entries of the method share.
    """
    asked, own = dict(wanted.settings), dict(entry.settings)
    if (entry.method, entry.preset) != (wanted.method, wanted.preset):
        return False
    if not set(own) <= set(asked):
        return False
    method = method_named(entry.method)
    start = method.presets.get(entry.preset, method.presets[TUNED])
    settings = override(start, entry.overrides(common))
    searched = space(method, settings, fixed={**common, **own})
    found, meant = settings.to_json(), override(start, asked).to_json()
    return all(found[key] == meant[key] and key not in searched for key in asked)
