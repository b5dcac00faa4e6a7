"""Places: where in its directory a comparison keeps what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Direction
from crossmodal.relevance import Relevance
from training.compare.outcome import FAILED, Outcome
from training.compare.results import JOBS, SPLITS, TREC


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one comparison."""

    directory: Path

    @property
    def trec(self) -> Path:
        """The folder of TREC runs and qrels."""
        return self.directory / TREC

    def split(self, name: str) -> Path:
        """Return the folder that says which items a split scores."""
        return self.directory / SPLITS / name

    def outcome(self, key: str) -> Path:
        """Return the file that a finished job leaves last."""
        return self.directory / JOBS / f"{key}.json"

    def finished(self, key: str) -> bool:
        """Tell whether a job is done; one that failed is tried again."""
        try:
            return bool(Outcome.open(self.outcome(key)).values["status"] != FAILED)
        except DataError:
            return False

    def arrays(self, key: str) -> Path:
        """Return the file of its values per query."""
        return self.directory / JOBS / f"{key}.npz"

    def partial(self, key: str) -> Path:
        """Return the folder of an unfinished job's checkpoints."""
        return self.directory / JOBS / f"{key}.partial"

    def make(self) -> None:
        """Make the directory; one of an earlier comparison is gone on with.

        Raises:
            ConfigError: If it holds something else.
        """
        jobs = self.directory / JOBS
        if self.directory.exists() and any(self.directory.iterdir()) and not jobs.is_dir():
            raise ConfigError(
                f"{self.directory}: not empty and no comparison; choose another --out"
            )
        for folder in (jobs, self.trec, self.directory / SPLITS):
            folder.mkdir(parents=True, exist_ok=True)


def run_name(entry: str, split: str, direction: Direction) -> str:
    """Return the name of an entry's TREC run, made by its first seed.

    A colon, which some programs take for the end of a host's name, becomes a plus.
    """
    return f"{entry.replace(':', '+')}.{split}.{direction}.run.gz"


def qrels_name(split: str, direction: Direction, relevance: Relevance) -> str:
    """Return the name of the qrels that all entries share."""
    return f"{split}.{direction}.{relevance}.qrels.gz"
