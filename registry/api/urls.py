"""``/api/v1/``: the lists of every record, and single ones by their names."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated

from registry.visits.crf import FORMS

from . import views

v1 = [
    path("", views.Contents.as_view(), name="api"),
    path(
        "schema/",
        SpectacularAPIView.as_view(permission_classes=[IsAuthenticated]),
        name="api-schema",
    ),
    path("participants/", views.Participants.as_view(), name="api-participants"),
    path(
        "participants/<slug:study_number>/",
        views.OneParticipant.as_view(),
        name="api-participant",
    ),
    path("visits/", views.Visits.as_view(), name="api-visits"),
    path(
        "visits/<slug:study_number>/<slug:code>/",
        views.OneVisit.as_view(),
        name="api-visit",
    ),
    path("readings/", views.Readings.as_view(), name="api-readings"),
    path("ulcers/", views.Ulcers.as_view(), name="api-ulcers"),
    path(
        "ulcers/<slug:study_number>/<slug:label>/",
        views.OneUlcer.as_view(),
        name="api-ulcer",
    ),
    *(
        path(f"forms/{code}/", views.form_list(kind).as_view(), name=f"api-form-{code}")
        for code, kind in FORMS.items()
    ),
]

urlpatterns = [path("v1/", include(v1))]
