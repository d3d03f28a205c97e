"""Results on disk, and what each was made with."""

from pathlib import Path

#: The repository's own results.
PUBLISHED = Path(__file__).parent.with_name("results")
