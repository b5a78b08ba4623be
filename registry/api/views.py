"""Read-only views: rows come through ``visible_to``, without identities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import generics
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import URLField
from rest_framework.views import APIView

from registry.access.days import SiteDays
from registry.access.roles import Permission
from registry.imaging.models import Reading
from registry.participants.models import Participant
from registry.ulcers.models import Ulcer, UlcerAssessment
from registry.visits.crf import FORMS, FormKind
from registry.visits.models import Visit

from . import serializers
from .filters import Narrowed

Permissions = tuple[type[BasePermission], ...]
Rows = Callable[[Any], QuerySet[Any]]  # user → the rows they see


class MayView(BasePermission):
    """Whoever may view the records of a site."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user: Any = request.user
        return bool(user.may(Permission.VIEW))


class NotBlinded(BasePermission):
    """Nobody who grades films sees what others saw on them."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user: Any = request.user
        return not user.may(Permission.READ_FILMS)


class List(generics.ListAPIView[Any]):
    """Rows of one kind, page by page."""

    permission_classes: Permissions = (IsAuthenticated, MayView)
    filter_backends = (Narrowed,)
    rows: ClassVar[Rows]
    narrowed_by: ClassVar[Mapping[str, str]]  # parameter → column

    def get_queryset(self) -> QuerySet[Any]:
        return type(self).rows(self.request.user)


class One(generics.RetrieveAPIView[Any]):
    """One row, found by the names in its address; another site's is 404."""

    permission_classes = (IsAuthenticated, MayView)
    filter_backends = ()
    rows: ClassVar[Rows]
    found_by: ClassVar[Mapping[str, str]]  # part of the address → column

    def get_queryset(self) -> QuerySet[Any]:
        return type(self).rows(self.request.user)

    def get_object(self) -> Any:
        named = {column: self.kwargs[name] for name, column in self.found_by.items()}
        found = self.get_queryset().filter(**named).first()
        if found is None:
            raise Http404
        return found


def participants(user: Any) -> QuerySet[Any]:
    return Participant.objects.visible_to(user).select_related("site")


class Participants(List):
    """Participants, without identities."""

    rows = participants
    serializer_class = serializers.ParticipantSerializer
    narrowed_by = {"site": "site", "participant": "pk"}


class OneParticipant(One):
    rows = participants
    serializer_class = serializers.ParticipantSerializer
    found_by = {"study_number": "study_number"}


def visits(user: Any) -> QuerySet[Any]:
    """Visits with the status that each has on its own site's day."""
    visible = Visit.objects.visible_to(user).select_related("participant__site")
    return visible.with_status(SiteDays(user.sites_with(Permission.VIEW)).after())


class Visits(List):
    """Planned, attended and missed visits, with windows and status."""

    rows = visits
    serializer_class = serializers.VisitSerializer
    narrowed_by = {"site": "site", "participant": "participant", "visit": "code"}


class OneVisit(One):
    rows = visits
    serializer_class = serializers.VisitSerializer
    found_by = {"study_number": "participant__study_number", "code": "code"}


def form_list(kind: FormKind) -> type[List]:
    """The list of one registered form's records."""

    def records(user: Any) -> QuerySet[Any]:
        visible = kind.model.objects.visible_to(user)
        return visible.select_related("entry__participant__site", "entry__visit")

    return type(
        f"{kind.model.__name__}Records",
        (List,),
        {
            "__doc__": f"{kind.text}: the completed forms.",
            "rows": records,
            "serializer_class": serializers.form_serializer(kind),
            "narrowed_by": {
                "site": "site",
                "participant": "entry__participant",
                "visit": "entry__visit__code",
            },
        },
    )


def readings(user: Any) -> QuerySet[Any]:
    visible = Reading.objects.visible_to(user)
    return visible.select_related("xray__entry__participant__site", "xray__entry__visit")


class Readings(List):
    """What was seen on films. Who read them is not said."""

    permission_classes = (IsAuthenticated, MayView, NotBlinded)
    rows = readings
    serializer_class = serializers.ReadingSerializer
    narrowed_by = {
        "site": "site",
        "participant": "xray__entry__participant",
        "visit": "xray__entry__visit__code",
    }


def ulcers(user: Any) -> QuerySet[Any]:
    assessments = (
        UlcerAssessment.objects.visible_to(user)
        .select_related("entry__visit")
        .order_by("assessed_on", "pk")
    )
    return (
        Ulcer.objects.visible_to(user)
        .select_related("participant__site")
        .prefetch_related(Prefetch("assessments", assessments))
    )


class Ulcers(List):
    """Ulcers, each with its assessments in the order of time."""

    rows = ulcers
    serializer_class = serializers.UlcerSerializer
    narrowed_by = {"site": "site", "participant": "participant"}


class OneUlcer(One):
    rows = ulcers
    serializer_class = serializers.UlcerSerializer
    found_by = {"study_number": "participant__study_number", "label": "label"}


ADDRESSES = {name: f"api-{name}" for name in ("participants", "visits", "readings", "ulcers")}
ADDRESSES |= {f"forms/{code}": f"api-form-{code}" for code in FORMS}
ADDRESSES["schema"] = "api-schema"


class Contents(APIView):
    """Where everything is."""

    permission_classes = (IsAuthenticated, MayView)

    @extend_schema(
        responses=inline_serializer("Contents", {name: URLField() for name in ADDRESSES})
    )
    def get(self, request: Request) -> Response:
        return Response(
            {name: reverse(target, request=request) for name, target in ADDRESSES.items()}
        )
