"""Every page, room by room; each room's own ``urls.py`` says more."""

from django.urls import include, path

urlpatterns = [
    path("", include("registry.access.urls")),
    path("", include("registry.audit.urls")),
    path("", include("registry.quality.urls")),
    path("", include("registry.participants.urls")),
    path("", include("registry.visits.urls")),
    path("", include("registry.imaging.urls")),
    path("", include("registry.ulcers.urls")),
    path("", include("registry.crfs.urls")),
    path("", include("registry.recall.urls")),
    path("", include("registry.exports.urls")),
    path("", include("registry.reports.urls")),
    path("", include("registry.desk.urls")),
    path("api/", include("registry.api.urls")),
]
