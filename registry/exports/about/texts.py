"""The texts of a dataset, file by file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..profiles import Profile
from . import codebook, loaders, page, readme
from .codebook import CODEBOOK, CODEBOOK_JSON, DescribedTable
from .readme import DISCLOSURE


def texts(
    manifest: dict[str, Any], profile: Profile, described: Sequence[DescribedTable]
) -> dict[str, str]:
    """File → its text, for a dataset of the tables that are ``described``.

    ``manifest`` is what the dataset's own manifest says, without the digests of these files.
    """
    return {
        CODEBOOK: codebook.as_csv(described),
        CODEBOOK_JSON: codebook.as_json(profile, described),
        "codebook.html": page.as_html(profile, described),
        DISCLOSURE: json.dumps(manifest["disclosure"], indent=1) + "\n",
        "README.txt": readme.readme(manifest, profile, [one.table for one in described]),
        **loaders.loaders(manifest["formats"], described),
    }
