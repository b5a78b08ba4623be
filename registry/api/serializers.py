"""Serializers read off the declarations: a new item is in the API without a line here."""

from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework import serializers

from registry.core.dictionary import ABSENCE_CODES, Item, Kind, items_of
from registry.imaging.models import Reading
from registry.participants.models import Participant
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.crf import FormKind
from registry.visits.models import LIMBS, Visit
from registry.visits.rules import Status

Field = serializers.Field[Any, Any, Any, Any]
Fields = dict[str, Field]
# Numbers leave as decimal strings, with the decimals their column keeps.
DIGITS = 12


def item_field(item: Item) -> Field:
    """The read-only field of one item; its description is the item's question and unit."""
    text = f"{item.text} ({item.unit})" if item.unit else item.text
    about: dict[str, Any] = {"read_only": True, "allow_null": True, "help_text": text}
    match item.kind:
        case Kind.DATE:
            return serializers.DateField(**about)
        case Kind.YEAR | Kind.SCORE:
            return serializers.IntegerField(**about)
        case Kind.NUMBER:
            return serializers.DecimalField(DIGITS, item.places, **about)
        case Kind.CHOICE:
            return serializers.ChoiceField(list(item.choices), **about)
        case Kind.MULTI:
            return serializers.ListField(child=serializers.ChoiceField(list(item.choices)), **about)
        case Kind.YES_NO:
            return serializers.BooleanField(**about)
        case Kind.TEXT | Kind.PARTIAL_DATE:
            return serializers.CharField(**about)
        case _:
            raise TypeError(f"The API cannot show {item.kind}.")


def record_serializer(
    model: type[models.Model], head: Fields, called: str = ""
) -> type[serializers.Serializer[Any]]:
    """The serializer of a declared record: ``head``, then its items as declared.

    The items include what stands beside a number (as typed, unit, comparator, limits) and what
    the database derives. ``absent`` (item → code) closes it where the record has absence codes.
    """
    items: Fields = {
        name: item_field(item) for name, item in items_of(model).items() if item.kind != Kind.FILE
    }
    if clash := head.keys() & items.keys():
        raise TypeError(f"{model._meta.label}: {', '.join(clash)} would appear twice.")
    fields = head | items
    if "absent" in {column.name for column in model._meta.concrete_fields}:
        fields["absent"] = serializers.DictField(
            child=serializers.ChoiceField(list(ABSENCE_CODES.items())),
            read_only=True,
            help_text="Item → why it has no value",
        )
    return type(called or model.__name__, (serializers.Serializer,), fields)


def _text(source: str | None, help_text: str) -> serializers.CharField:
    return serializers.CharField(source=source, read_only=True, help_text=help_text)


def _whose(path: str = "participant.") -> Fields:
    """The columns that say whose record it is; ``path`` leads to the participant."""
    return {
        "site": _text(f"{path}site.prefix", "Prefix of the site"),
        "participant": _text(f"{path}study_number", "Study number"),
    }


def _leg(source: str | None = None) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        [*LIMBS, ("", "neither")], source=source, read_only=True, help_text="Leg"
    )


def _entered(path: str = "entry.") -> Fields:
    """The columns that say where a form was filled; ``path`` leads to its entry."""
    return {
        "visit": serializers.CharField(
            source=f"{path}visit.code",
            default=None,
            allow_null=True,
            read_only=True,
            help_text="Visit; none for what is filled any day",
        ),
        "limb": _leg(f"{path}limb"),
    }


def form_serializer(kind: FormKind) -> type[serializers.Serializer[Any]]:
    """The serializer of a registered form; a log's row says itself of which leg it is."""
    own = items_of(kind.model)
    return record_serializer(
        kind.model,
        {
            **_whose("entry.participant."),
            **{name: column for name, column in _entered().items() if name not in own},
            "occurrence": _text("entry.occurrence", "Row of a log, or label of an ulcer"),
        },
    )


ParticipantSerializer = record_serializer(
    Participant,
    {
        "site": _text("site.prefix", "Prefix of the site"),
        "study_number": _text(None, "Study number"),
        "age_at_enrolment": serializers.IntegerField(read_only=True, help_text="Years"),
    },
)

ReadingSerializer = record_serializer(
    Reading,
    {
        **_whose("xray.entry.participant."),
        **_entered("xray.entry."),
        "read_no": serializers.IntegerField(read_only=True, help_text="Number of the read"),
        "read_on": serializers.DateField(read_only=True, help_text="Read on"),
    },
)

AssessmentSerializer = record_serializer(
    UlcerAssessment, {"visit": _entered()["visit"]}, called="AssessmentOfUlcer"
)

UlcerSerializer = record_serializer(
    Ulcer,
    {
        **_whose(),
        "limb": _leg(),
        "label": _text(None, "Label of the ulcer, never reused"),
        "recorded_on": serializers.DateField(read_only=True, help_text="First recorded on"),
        "assessments": AssessmentSerializer(many=True, read_only=True),
    },
)


class VisitSerializer(serializers.ModelSerializer[Visit]):
    """A visit with its window and its status on the site's day."""

    site = serializers.CharField(source="participant.site.prefix", read_only=True)
    participant = serializers.CharField(source="participant.study_number", read_only=True)
    status = serializers.ChoiceField([(one.value, one.value) for one in Status], read_only=True)

    class Meta:
        model = Visit
        fields = (
            "site",
            "participant",
            "code",
            "plan_version",
            "target_on",
            "opens_on",
            "closes_on",
            "attended_on",
            "missed_because",
            "status",
        )
        read_only_fields = fields
