"""Writes the evidence page from the benchmarks' results: every claim with its table, and what was not reached first.

    python benchmarks/evidence.py [--results FOLDER] [--page FILE]

Nothing on the page is typed: tables, figures, aims and verdicts come out of `results/*.json`, aims from the benchmarks that
measure them. A claim whose results are not there says so.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import RESULTS, ROOT, say
from evidence_claims import CLAIMS
from evidence_page import page

from turnout.errors import DataError
from turnout.files import write_aside

PAGE = ROOT / "docs" / "evidence.md"


def main() -> None:
    """Write the page."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of the results (default: benchmarks/results)"
    )
    options.add_argument("--page", type=Path, default=PAGE, help="what to write (default: docs/evidence.md)")
    chosen = options.parse_args()
    try:
        text = page(chosen.results, CLAIMS)
    except DataError as error:
        raise SystemExit(str(error)) from error
    write_aside(chosen.page, text.encode())
    say(f"written: {chosen.page}")


if __name__ == "__main__":
    main()
