"""Gather the texts to be translated, also those of the declarations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.commands import makemessages

from registry.core.dictionary import ABSENCE_CODES, declared_models, items_of
from registry.crfs.views import ITEMS as LIMIT_ITEMS
from registry.visits.crf import FORMS
from registry.visits.schedule import PLANS

# Labels of items that are declared on a page instead of in a model.
DECLARING = "date partial_date year number score choice multi yes_no text file derived kept".split()


def declared_texts() -> Iterator[str]:
    """Every text of the codebook and of the visit plan: labels, anchors, answers, help."""
    yield from ABSENCE_CODES.values()
    yield from (label for _code, label in LIMIT_ITEMS["item"].choices)
    yield from (name for _code, name in settings.LANGUAGES)
    for model in declared_models():
        yield model.declaration.text  # type: ignore[attr-defined]
        for item in items_of(model, kept=True).values():
            yield from (item.text, item.help_text, *(label for _code, label in item.choices))
    yield from (kind.text for kind in FORMS.values())
    yield from (visit.text for plan in PLANS.values() for visit in plan.visits)


class Command(makemessages.Command):
    help = __doc__ or ""
    xgettext_options = [
        *makemessages.Command.xgettext_options,
        *(f"--keyword={name}:1" for name in DECLARING),
        "--keyword=FileItem:2",
    ]

    def handle(self, *arguments: Any, **options: Any) -> None:
        """xgettext reads calls: the declarations' texts are written as such for as long."""
        options |= {"no_location": True, "add_location": None, "no_obsolete": True}
        options["ignore_patterns"] = [*options["ignore_patterns"], ".*", "tests", "static*"]
        texts = sorted({text for text in declared_texts() if text.strip(" 0123456789")})
        written = Path(settings.BASE_DIR) / "declared_texts.py"
        written.write_text("".join(f"gettext({text!r})\n" for text in texts), encoding="utf-8")
        try:
            super().handle(*arguments, **options)
        finally:
            written.unlink()
