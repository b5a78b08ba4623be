"""The texts of a dataset, file by file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..profiles import Profile
from ..tables import Table
from . import codebook, loaders, page, readme
from .codebook import CODEBOOK, CODEBOOK_JSON
from .readme import DISCLOSURE


def texts(manifest: dict[str, Any], profile: Profile, tables: Sequence[Table]) -> dict[str, str]:
    """File → its text, for a dataset of ``tables``.

    ``manifest`` is what the dataset's own manifest says, without the digests of these files.
    """
    described = codebook.describe(profile, tables)
    return {
        CODEBOOK: codebook.as_csv(described),
        CODEBOOK_JSON: codebook.as_json(profile, described),
        "codebook.html": page.as_html(profile, described),
        DISCLOSURE: json.dumps(manifest["disclosure"], indent=1) + "\n",
        "README.txt": readme.readme(manifest, profile, tables),
        **loaders.loaders(manifest["formats"], described),
    }
