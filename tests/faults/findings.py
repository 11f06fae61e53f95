"""What the judge of a run has to say, and how a scenario's runs are added up for the table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """Everything that was wrong at the end of one run; all zero and empty where all is well."""

    duplicates: int = 0
    """Machines that were bought beside another one of the same object."""
    double_charges: int = 0
    """Payments for one upgrade beyond the first, or for an order that was not its own."""
    orphans: int = 0
    """Machines that live on although nobody owns them, or that nobody remembers."""
    finalizers: int = 0
    """Objects that were deleted and never go."""
    writes_at_rest: int = 0
    """Writes to Kubernetes while nothing happens."""
    words: list[str] = field(default_factory=list)
    """Each of the above in a sentence, and everything that has no number."""

    @property
    def fine(self) -> bool:
        """Whether there is nothing to say."""
        return not self.words

    def add(self, words: str, **counts: int) -> None:
        """Take down one thing that is wrong."""
        self.words.append(words)
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)


@dataclass(slots=True)
class Tally:
    """A scenario's line in the table."""

    scenario: str
    boundaries: int = 0
    """That the reference run has recorded."""
    hit: set[str] = field(default_factory=set)
    """Boundaries at which trouble struck."""
    runs: int = 0
    kills: int = 0
    """Runs in which a real process was killed."""
    failed: int = 0
    counts: Findings = field(default_factory=Findings)

    def count(self, boundary: str, findings: Findings, *, struck: bool, killed: bool) -> None:
        """Add one run."""
        self.runs += 1
        self.kills += killed
        self.failed += not findings.fine
        if struck:
            self.hit.add(boundary)
        for name in ("duplicates", "double_charges", "orphans", "finalizers", "writes_at_rest"):
            setattr(self.counts, name, getattr(self.counts, name) + getattr(findings, name))
