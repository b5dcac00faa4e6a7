"""Mutants: the code with one promise broken, each caught by the test that guards it.

A mutant is a copy of what is needed with one piece of text replaced. The named test must
fail on it; it passes on the code as it is, as the suite shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
COPIED = (
    *("crossmodal", "index", "pyproject.toml"),
    *("tests/conftest.py", "tests/graphs.py", "tests/index"),
)


class Mutant(NamedTuple):
    """What is replaced where, and the test that must notice."""

    file: str
    old: str
    new: str
    test: str


CRASH = "test_crashes.py::test_a_kill_at_any_named_point_costs_nothing"
CHANGE = (
    "test_changing_crashes.py::test_a_change_of_the_model_goes_on_wherever_it_was_killed"
)
FSYNC = "test_fsync_order.py::test_nothing_is_acknowledged_or_renamed_before_it_is_synced"
MUTANTS = {
    "acknowledged before the commit": Mutant(
        "index/writing/writer.py",
        '                self._reached("before commit")\n',
        "                for one, receipt in zip(group, receipts):\n"
        "                    one.done.set_result(receipt)\n"
        "                    one.done = Future()\n"
        '                self._reached("before commit")\n',
        f"{CRASH}[a write]",
    ),
    "commits are not synced": Mutant(
        "index/storage/database.py", '"synchronous = FULL"', '"synchronous = NORMAL"', FSYNC
    ),
    "nothing is synced": Mutant(
        "index/storage/database.py", '"synchronous = FULL"', '"synchronous = OFF"', FSYNC
    ),
    "a rename without a sync of the directory": Mutant(
        "crossmodal/durable.py", "    sync_directory(path.parent)\n", "", FSYNC
    ),
    "media renamed without a sync of the directory": Mutant(
        "index/storage/media.py", "        sync_directory(target.parent)\n", "", FSYNC
    ),
    "an exchange without a sync of the directories": Mutant(
        "index/storage/exchange.py",
        "        sync_directory(directory)\n",
        "        pass\n",
        FSYNC,
    ),
    "index files that do not follow their bundle": Mutant(
        "index/collection.py",
        "                settle(directory)\n",
        "",
        f"{CHANGE}[switch]",
    ),
    "a laying that nobody is told of": Mutant(
        "index/versions/laying.py",
        "    with laying(directory, wait=True):\n",
        "    if True:\n",
        "test_laying.py::"
        "test_an_opening_leaves_a_draft_that_is_under_way_and_deletes_one_that_is_not",
    ),
    "exchanged before the last are embedded": Mutant(
        "index/versions/reembedding.py",
        "        if rows:\n            fresh",
        "        if len(rows) > most:\n            fresh",
        "test_changing.py::"
        "test_what_comes_in_the_last_moment_is_embedded_before_the_change",
    ),
    "CURRENT is written in place": Mutant(
        "index/views/manifest.py",
        "    write_json(directory / CURRENT, asdict(manifest))\n",
        '    with (directory / CURRENT).open("wb") as file:\n'
        "        file.write(json.dumps(asdict(manifest)).encode())\n",
        f"{CRASH}[a file]",
    ),
    "CURRENT before its bases": Mutant(
        "index/views/manifest.py",
        "    bases = {}\n    for modality",
        "    early = describe(galleries, seq=seq, model_id=model_id)\n"
        "    write_json(directory / CURRENT, asdict(early))\n"
        "    bases = {}\n    for modality",
        f"{CRASH}[a compaction]",
    ),
    "a replay that leaves one out": Mutant(
        "index/views/loading.py",
        "found.seqs, manifest.seq, side",
        "found.seqs, manifest.seq + 1, side",
        "test_writing.py::"
        "test_what_was_acknowledged_is_found_and_is_the_same_after_reopening",
    ),
    "a deletion is not logged": Mutant(
        "index/storage/transaction.py",
        "execute(\"INSERT INTO log VALUES (?, 'delete', ?)\", (self.seq, item_id))",
        "pass",
        "test_writing.py::test_a_deleted_item_is_gone_wherever_it_was_and_stays_gone",
    ),
    "a deletion is not written": Mutant(
        "index/storage/transaction.py",
        '        execute("DELETE FROM items WHERE id = ?", (item_id,))\n',
        "",
        f"{CRASH}[a write]",
    ),
    "the sha256 is not looked at": Mutant(
        "index/views/manifest.py",
        "    if hashlib.sha256(raw.data).hexdigest() != base.sha256:\n",
        "    if len(raw) != base.bytes:\n",
        "test_damage.py::test_every_flip_and_cut_of_a_base_is_noticed",
    ),
    "fewer lists are looked into than were measured": Mutant(
        "index/views/manifest.py",
        "        search_width=gallery.search_width,\n",
        "        search_width=gallery.search_width and 1,\n",
        "test_ivf.py::test_fewer_lists_than_were_measured_are_caught_by_the_recorded_recall",
    ),
    "published after the acknowledgment": Mutant(
        "index/writing/writer.py",
        "        self._publish(view)\n",
        "        threading.Timer(0.02, self._publish, [view]).start()\n",
        "test_concurrency.py::"
        "test_what_was_acknowledged_is_found_at_once_and_what_was_deleted_never_again",
    ),
    "a view is changed in place": Mutant(
        "index/views/tail.py",
        "            live = self._live[:size].copy()\n",
        "            live = self._live[:size]\n",
        "test_writing.py::test_a_view_taken_before_a_write_never_changes",
    ),
    "a base is changed in place": Mutant(
        "index/views/shelf.py",
        "        live = self.live.copy()\n",
        "        live = self.live\n",
        "test_concurrency.py::test_every_answer_is_that_of_the_items_up_to_its_view_seq",
    ),
    "the deleted are not left out": Mutant(
        "index/views/shelf.py",
        "(self.seqs[rows] == seqs) & self.live[rows]",
        "self.seqs[rows] == seqs",
        "test_concurrency.py::test_every_answer_is_that_of_the_items_up_to_its_view_seq",
    ),
    "ties by raw score": Mutant(
        "index/views/ranking.py",
        "-np.round(exact_scores(shelf.vectors(rows), query), DECIMALS)",
        "-exact_scores(shelf.vectors(rows), query)",
        "test_ranking.py::test_search_equals_brute_force_with_duplicates_and_ties",
    ),
    "an idempotency reply of its own transaction": Mutant(
        "index/writing/group.py",
        "        transaction.keep_reply(idempotency.key, reply, now + KEY_LIFETIME_S)\n",
        "        pass\n",
        "test_writing.py::"
        "test_one_key_and_request_are_written_once_however_often_they_come",
    ),
    "what changed during a compaction is forgotten": Mutant(
        "index/views/view_builder.py",
        "self._since.update(latest)",
        "self._since.update({})",
        "test_compaction.py::"
        "test_what_is_written_during_a_compaction_is_neither_lost_nor_doubled",
    ),
    "old log rows go in one transaction": Mutant(
        "index/writing/write_path.py",
        "now=now, most=TIDIED_AT_ONCE)",
        "now=now, most=1 << 40)",
        "test_tidying.py::test_writes_come_between_the_parts_of_a_tidying",
    ),
    "a lost log is taken for an empty one": Mutant(
        "index/storage/database.py",
        "    check_log_is_there(path)\n",
        "",
        "test_wal.py::test_a_log_that_is_missing_is_missed",
    ),
    "a broken log is taken for a short one": Mutant(
        "index/storage/wal.py",
        "    if commits > 1:\n",
        "    if commits > 1_000_000:\n",
        "test_wal.py::test_a_flip_in_the_log_is_seen_or_costs_nothing",
    ),
    "a recovery that skips a page that can be read": Mutant(
        "index/recovery/contents.py",
        "        if number not in (pages.free or ()):\n",
        "        if number not in (pages.free or ()) and number % 9:\n",
        "test_recovery.py::test_where_no_row_was_damaged_none_is_lost[header]",
    ),
    "a recovery that takes part of an item for a whole one": Mutant(
        "index/recovery/whole.py",
        "        if missing:\n",
        "        if not found:\n",
        "test_recovery_pages.py::"
        "test_what_two_rows_tell_differently_costs_the_items_they_are_of",
    ),
    "a recovery that believes any list of free pages": Mutant(
        "index/recovery/pages.py",
        "        known = len(free) == told and free <= self._pages.keys()\n",
        "        known = True\n",
        "test_recovery_pages.py::"
        "test_a_list_of_free_pages_without_an_end_or_beyond_the_file_is_none",
    ),
    "a recovery that tries ever more checksums": Mutant(
        "index/recovery/pages.py",
        "if whole or len(due) > 2 else",
        "if whole else",
        "test_recovery_pages.py::test_a_log_of_broken_pages_takes_no_more_time_per_page",
    ),
    "a recovery that takes one of two places": Mutant(
        "index/recovery/whole.py",
        "    if len(places) != 1:\n",
        "    if not places:\n",
        "test_recovery_pages.py::"
        "test_what_two_rows_tell_differently_costs_the_items_they_are_of",
    ),
    "a refusal that eats the log": Mutant(
        "index/storage/database.py",
        'closing(_connect(path, "ro" + immutable))',
        'closing(_connect(path, "rw"))',
        "test_recovery.py::test_a_damaged_log_costs_what_stood_in_the_damage_at_most",
    ),
    "a failure of the disk is for good": Mutant(
        "index/writing/writer.py",
        "            if self._failed is not None and not self._mend():\n",
        "            if self._failed is not None:\n",
        "test_disk_full.py::"
        "test_while_syncs_fail_writes_are_refused_searches_go_on_and_then_writes_too",
    ),
    "media of what was not written are hidden": Mutant(
        "index/writing/writer.py",
        "            self._media.hide(shown)\n",
        "            self._media.hide(draft.shown)\n",
        "test_disk_full.py::"
        "test_what_does_not_fit_takes_no_media_from_items_that_show_them",
    ),
    "a filter that deletes without a bound": Mutant(
        "index/writing/group.py",
        "        ids = heapq.nsmallest(MOST_BY_FILTER, found)\n",
        "        ids = sorted(found)\n",
        "test_writing.py::"
        "test_deletion_by_filter_takes_so_many_at_most_and_the_rest_when_asked_again",
    ),
    "a reader opens the lock to write": Mutant(
        "index/storage/lock.py",
        "(os.O_RDWR | os.O_CREAT if write else os.O_RDONLY)",
        "(os.O_RDWR | os.O_CREAT)",
        "test_mishaps.py::test_a_volume_that_is_only_read_is_served_and_not_written_to",
    ),
    "a full disk ends the writer": Mutant(
        "index/writing/writer.py",
        "        except StorageFullError:  # nothing was written, and the next may fit\n",
        "        except ZeroDivisionError:\n",
        "test_disk_full.py::test_a_full_database_costs_the_group_and_nothing_else",
    ),
    "the reserve is not looked at": Mutant(
        "index/writing/group.py",
        "    if not roomy and puts:\n",
        "    if roomy is None and puts:\n",
        "test_disk_full.py::test_below_the_reserve_only_deletions_are_written",
    ),
    "a filter is judged without the tail": Mutant(
        "index/views/view.py",
        "known = [shelf.only(ids) for shelf in self._shelves(gallery)]",
        "known = [shelf.only(ids) for shelf in self._shelves(gallery)[:1]]",
        "test_filters.py::test_a_filtered_search_is_brute_force_over_what_is_admitted",
    ),
    "media go while another item shows them": Mutant(
        "index/storage/media.py",
        "self._claims[sha256] <= 0 and self._shown[sha256] <= 0",
        "self._claims[sha256] <= 0",
        "test_writing.py::test_media_live_as_long_as_an_item_shows_them",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught_by_the_test_that_guards_its_promise(
    name: str, tmp_path: Path
) -> None:
    mutant = MUTANTS[name]
    for part in COPIED:
        target = tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / part, target)
    code = (tmp_path / mutant.file).read_text()
    assert code.count(mutant.old) == 1, f"the text to replace is not in {mutant.file}"
    (tmp_path / mutant.file).write_text(code.replace(mutant.old, mutant.new))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"),
            *("-o", "addopts=--import-mode=importlib", f"tests/index/{mutant.test}"),
        ],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "EARSHOT_CRASH_ROUNDS": "2"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode == 0 and "1 skipped" in done.stdout:
        pytest.skip("its test cannot run here")
    assert done.returncode == 1, f"it survived: {done.stdout[-2000:]}{done.stderr[-500:]}"
    assert "1 failed" in done.stdout, done.stdout[-2000:]
    for nonsense in ("SyntaxError", "NameError", "ImportError", "AttributeError"):
        assert nonsense not in done.stdout, done.stdout[-2000:]
    print(*(line for line in done.stdout.splitlines() if line.startswith("E ")), sep="\n")
