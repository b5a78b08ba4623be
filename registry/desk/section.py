"""A form of a visit as a section of its page: a column for each place it applies to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from registry.access.models import User
from registry.access.roles import Permission
from registry.core.dictionary import ABSENCE_CODES
from registry.core.forms import Clock, ItemsForm, show_value
from registry.visits.actions import log_rows
from registry.visits.crf import FORMS, Carried, Crf, FormKind, LogCrf
from registry.visits.merge import Raw
from registry.visits.models import Attachment, FormEntry, Visit

from .address import anchor_of, prefix_of
from .column import Column
from .reasons import Change


@dataclass(frozen=True)
class Difference:
    """An answer that somebody else changed since the page was made.

    ``yours`` is empty where only they changed it.
    """

    control: str
    label: str
    theirs: str
    by: str
    at: Any
    yours: str = ""


class Section:
    """One form of a visit, or one row of a log, with a column for each place it applies to."""

    def __init__(
        self, kind: FormKind, entries: list[FormEntry], sections: tuple[str, ...] = ()
    ) -> None:
        self.kind, self.entries = kind, entries
        self.participant, self.visit = entries[0].participant, entries[0].visit
        self.items = kind.items(sections)
        self.error = ""
        self.base: Raw | None = None  # what the page was made from, unless it is what is stored
        self.seen: Raw = {}  # the others' answers that the page offers for choice
        self.both: list[Difference] = []
        self.theirs: list[Difference] = []
        self.changes: list[Change] = []

    def bind(
        self,
        user: User,
        data: Any = None,
        last: dict[int, Crf] | None = None,
        judge: bool = False,
    ) -> None:
        """Make the columns' forms: from ``data``, else from drafts, else from the records.

        A draft is shown as it is, or with ``judge`` judged like ``data``.
        """
        self.columns = [
            self._column(entry, user, data, last or {}, judge) for entry in self.entries
        ]

    def _column(
        self, entry: FormEntry, user: User, data: Any, last: dict[int, Crf], judge: bool
    ) -> Column:
        attended_on = self.visit.attended_on if self.visit else None
        site = self.participant.site
        clock = Clock(site.today, attended_on, site.date_order)
        record = self.records.get(entry.pk)
        proposals = {"examiner": user.name, "ceap_version": "2020"}
        if attended_on:
            proposals |= {
                "done_on": attended_on.isoformat(),
                "assessed_on": attended_on.isoformat(),
            }
        previous = last.get(entry.pk)
        items = self.kind.model.offered(self.items, entry)
        recorded = self.kind.model.recorded(self.visit, entry.limb) if self.visit else {}
        units = self._units(previous)
        initial = units | {name: value for name, value in proposals.items() if name in items}
        # A unit is kept with its number only: where none is typed yet, the proposed one stands.
        chosen = {f"{prefix_of(entry)}-{control}": [unit] for control, unit in units.items()}

        def make(data: Any, draft: bool = False) -> ItemsForm:
            if data is not None:
                data = MultiValueDict(chosen | dict(data.lists()))
            form = ItemsForm(
                items,
                clock,
                data=data,
                record=record,
                draft=draft,
                last=previous,
                last_on=previous.done_on if previous else None,
                recorded=recorded,
                initial=initial,
                copies=entry.limb == "left" and self.has_legs,
                prefix=prefix_of(entry),
            )
            if entry.locked or not user.may(Permission.ENTER, entry.site_id):
                form.disable()
            return form

        if data is None and entry.draft is not None:
            form = make(MultiValueDict(entry.draft), draft=not judge)
        else:
            form = make(data)
        return Column(
            entry,
            form,
            record,
            make=make,
            carried=tuple(self._carried(entry)),
            files=tuple(
                (item, self.file_counts[entry.pk, item.name]) for item in self.kind.model.file_items
            ),
        )

    def _carried(self, entry: FormEntry) -> Iterator[tuple[str, str, Carried]]:
        """Label and value of what is carried forward to this visit, and where it is from."""
        if self.visit is None:
            return
        every = self.kind.items()
        for name, value in self.kind.model.carried(self.visit, entry.limb).items():
            if name not in self.items:
                yield every[name].label, show_value(every[name], value.value), value

    @cached_property
    def file_counts(self) -> Counter[tuple[int, str]]:
        """(entry, file item) → how many files answer it."""
        if not self.kind.model.file_items:
            return Counter()
        there = Attachment.objects.filter(entry__in=self.entries)
        return Counter(there.values_list("entry", "item"))

    @property
    def has_legs(self) -> bool:
        """Whether the same form stands once for each leg."""
        return [(one.limb, one.occurrence) for one in self.entries] == [("right", ""), ("left", "")]

    def _units(self, previous: Crf | None) -> dict[str, str]:
        """The unit beside each number: as typed last for the participant, else at the site."""
        numbers = [name for name, item in self.items.items() if item.also]
        latest = previous or (self._latest_here if numbers else None)
        return {
            f"{name}__unit": getattr(latest, f"{name}_unit", None) or self.items[name].unit
            for name in numbers
        }

    @cached_property
    def _latest_here(self) -> Crf | None:
        return self.kind.model.objects.filter(site=self.participant.site_id).order_by("pk").last()

    def fill(self, action: str, post: Mapping[str, str]) -> str:
        """Do to the bound columns what ``action`` asks before they are saved as a draft.

        ``rest_absent`` gives the blanks of a column the absence code chosen for it, ``rest_undo``
        takes that back, ``copy_right`` answers the left leg's blanks as the right leg. Returns
        what was done, for a message.
        """
        if action == "copy_right" and self.has_legs:
            right, left = self.columns
            copied = left.form.copy_from(right.form)
            said = ngettext("%(count)s item copied.", "%(count)s items copied.", copied)
            return said % {"count": copied}
        filled = 0
        for column in self.columns:
            code = post.get(f"rest-{column.form.prefix}", "")
            if action == "rest_absent" and code in ABSENCE_CODES:
                filled += column.form.fill_rest(code)
            if action == "rest_undo":
                filled += column.form.undo_rest()
        return ngettext("%(count)s item", "%(count)s items", filled) % {"count": filled}

    @cached_property
    def records(self) -> dict[int, Crf]:
        return {
            record.entry_id: record
            for record in self.kind.model.objects.filter(entry__in=self.entries)
        }

    @property
    def log(self) -> bool:
        """Whether this is a row of a log."""
        return self.visit is None

    @property
    def title(self) -> str:
        return f"{self.kind.label} {self.entries[0].occurrence}" if self.log else self.kind.label

    @property
    def anchor(self) -> str:
        return anchor_of(self.entries[0])

    @property
    def url(self) -> str:
        """Where the section is saved."""
        if self.visit:
            return reverse("visit_form", args=[self.visit.pk, self.kind.code])
        number, row = self.participant.study_number, self.entries[0].occurrence
        return reverse("log_row", args=[number, self.kind.code, row])

    @property
    def prefixes(self) -> str:
        """How the names of the columns' controls begin, for the script."""
        return " ".join(f"{column.form.prefix}-" for column in self.columns)

    @property
    def base_json(self) -> str:
        """What the page's answers are made from: control → values."""
        if self.base is not None:
            return json.dumps(self.base)
        return json.dumps({c: v for column in self.columns for c, v in column.raw.items()})

    @property
    def seen_json(self) -> str:
        return json.dumps(self.seen)

    @property
    def state(self) -> str:
        """The section's state: that of its least finished column; an open draft is unfinished."""
        if all(entry.locked for entry in self.entries):
            return "locked"
        states = {entry.state for entry in self.entries}
        drafts = any(entry.draft is not None for entry in self.entries)
        if drafts or states & {"draft"} or (states & {"empty"} and len(states) > 1):
            return "draft"
        return next(word for word in ("empty", "complete", "verified") if word in states)

    @property
    def finished(self) -> bool:
        return self.state not in ("empty", "draft")

    @cached_property
    def blanks(self) -> int:
        """How many answers are still blank; of a finished section none are owed."""
        return 0 if self.finished else sum(column.blanks for column in self.columns)

    @property
    def drafts(self) -> Iterator[FormEntry]:
        """The entries whose draft is shown, newest last saved first."""
        held = [entry for entry in self.entries if entry.draft is not None]
        yield from sorted(held, key=lambda entry: entry.draft_at, reverse=True)

    @property
    def amends(self) -> bool:
        """Whether a completed record stands behind the section."""
        return any(column.record for column in self.columns)

    @property
    def logs(self) -> Iterator[tuple[FormKind, list[FormEntry]]]:
        """The logs this form reviews, with their rows: its items are named after them."""
        for name in self.items:
            if name in FORMS and issubclass(FORMS[name].model, LogCrf):
                yield FORMS[name], log_rows(self.participant, name)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The errors of every column, with the side named."""
        found = [(self.anchor if self.both else "", self.error)] if self.error else []
        if self.changes:
            found.append((f"reason-{self.anchor}", _("Say why the answers change.")))
        for column in self.columns:
            side = f"{column.place}: " if column.place else ""
            found += [(id_, f"{side}{message}") for id_, message in column.form.problems]
        return found


def saved_at(sections: list[Section]) -> datetime | None:
    """When the newest draft among the sections was saved."""
    return max((entry.draft_at for one in sections for entry in one.drafts), default=None)


def sections_of(visit: Visit) -> list[Section]:
    entries: dict[str, list[FormEntry]] = {}
    for entry in visit.entries.select_related("draft_by").order_by("-limb", "occurrence"):
        entry.visit, entry.participant = visit, visit.participant
        entries.setdefault(entry.form, []).append(entry)
    return [
        Section(FORMS[asked.form], entries[asked.form], asked.sections)
        for asked in visit.asked
        if asked.form in entries
    ]


def last_records(visit: Visit, section: Section) -> dict[int, Crf]:
    """Entry → the record of the same form, leg and occurrence at the latest earlier visit."""
    if not visit.attended_on:
        return {}
    earlier = (
        section.kind.model.objects.filter(
            entry__participant=visit.participant_id,
            entry__visit__attended_on__lt=visit.attended_on,
        )
        .select_related("entry")
        .order_by("entry__limb", "entry__occurrence", "-entry__visit__attended_on")
        .distinct("entry__limb", "entry__occurrence")
    )
    by_place = {(r.entry.limb, r.entry.occurrence): r for r in earlier}
    return {
        entry.pk: by_place[entry.limb, entry.occurrence]
        for entry in section.entries
        if (entry.limb, entry.occurrence) in by_place
    }
