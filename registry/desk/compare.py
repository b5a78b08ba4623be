"""What a page sent against what is stored: merged, and the differences said in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import QueryDict

from registry.audit.models import Change
from registry.visits.merge import Merged, Raw, answers, is_answer, merge, plain, take
from registry.visits.models import FormEntry

from .column import Column
from .section import Difference, Section


@dataclass
class Comparison:
    """One column: what the page was made from, what it holds now, what is stored, merged."""

    column: Column
    base: Raw
    mine: Raw
    stored: Raw
    merged: Merged

    @property
    def shown(self) -> Raw:
        """The merge, with the page's own answers where both changed one."""
        return take(self.merged.raw, self.mine, self.merged.both)

    @cached_property
    def settled(self) -> Raw:
        """What the column would hold without a draft."""
        return self.column.without_draft

    @property
    def changed(self) -> list[str]:
        """The items that the merge would change in a completed record."""
        old, new = answers(self.settled), answers(self.merged.raw)
        return [
            item
            for item in dict.fromkeys([*new, *old])
            if is_answer(item) and not self.column.same(old.get(item, {}), new.get(item, {}))
        ]


def compare(section: Section, post: QueryDict) -> list[Comparison]:
    """Merge what was posted, to which the section is bound, into what is stored.

    What was posted is taken as the controls keep it: “t” as a day, a typed code as a code. The
    page's base, the others' answers it showed and what was chosen between come from ``post``:
    ``base`` and ``seen`` (JSON), ``choice`` (``mine <item>`` or ``theirs <item>``).
    """
    base, seen = _read(post.get("base")), _read(post.get("seen"))
    mine: Raw = {}
    for column in section.columns:
        mine |= column.raw
    for whose, _space, item in (choice.partition(" ") for choice in post.getlist("choice")):
        base = take(base, seen, [item])
        if whose == "theirs":
            mine = take(mine, seen, [item])
    return [_compare(column, base, mine) for column in section.columns]


def _compare(column: Column, base: Raw, mine: Raw) -> Comparison:
    names = {f"{column.form.prefix}-{name}" for name in column.form.fields}
    base = {control: values for control, values in base.items() if control in names}
    mine = {control: values for control, values in mine.items() if control in names}
    stored = column.stored
    if column.entry.state == FormEntry.State.EMPTY:  # nobody saved yet: only proposals stand there
        base = stored
    return Comparison(column, base, mine, stored, merge(base, mine, stored, column.same))


def _read(posted: str | None) -> Raw:
    """Answers sent as JSON; none when it is not what a page sends."""
    try:
        read = json.loads(posted or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(read, dict):
        return {}
    return plain(
        {
            control: values
            for control, values in read.items()
            if isinstance(values, list) and all(isinstance(value, str) for value in values)
        }
    )


def tell(section: Section, compared: list[Comparison]) -> None:
    """Put the differences of a comparison on the section."""
    for one in compared:
        by, at = _last_saver(one.column)
        theirs, mine = answers(one.stored), answers(one.mine)
        section.seen |= take({}, one.stored, one.merged.both)
        for item in (*one.merged.both, *one.merged.theirs):
            both = item in one.merged.both
            # Each page proposes its own user.
            if not is_answer(item) or (not both and item.endswith("-examiner")):
                continue
            difference = Difference(
                control=item,
                label=one.column.label_of(item),
                theirs=one.column.in_words(theirs.get(item, {})),
                by=by,
                at=at,
                yours=one.column.in_words(mine.get(item, {})) if both else "",
            )
            (section.both if both else section.theirs).append(difference)


def base_after(compared: list[Comparison], *, written: bool, shown: bool) -> Raw:
    """What the page's answers are made from from now on.

    An answer that the page does not show as it is stored keeps its former base: those to be
    chosen, and, unless the page is ``shown`` anew, those that only the other changed. ``written``
    says that the merge is what is stored now.
    """
    base: Raw = {}
    for one in compared:
        stored = one.merged.raw if written else one.stored
        old = one.merged.both if shown else (*one.merged.both, *one.merged.theirs)
        base |= take(stored, one.base, old)
    return base


def _last_saver(column: Column) -> tuple[str, Any]:
    """Who saved the column last, and when."""
    if column.entry.draft_at:
        return str(column.entry.draft_by), column.entry.draft_at
    if column.record is None:
        return "", None
    changes = Change.objects.filter(label=column.record._meta.label_lower, key=column.record.pk)
    last = changes.select_related("by").order_by("-id").first()
    return (str(last.by), last.at) if last else ("", None)
