"""What goes with the tables of a dataset: codebook, disclosure report, README and loaders.

All in English. Their bytes depend on the profile, the tables and the formats alone; only the README
says of which request and moment the dataset is, and the report how its people look alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..profiles import Profile
from ..tables import Table
from . import codebook, loaders, page, readme
from .codebook import CODEBOOK as CODEBOOK
from .codebook import CODEBOOK_JSON as CODEBOOK_JSON
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
