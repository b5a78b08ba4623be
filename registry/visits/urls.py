from django.urls import path

from . import attachment_views, views

urlpatterns = [
    path("screenings/<int:pk>/enrol/", views.enrol, name="enrol"),
    path(
        "entries/<int:entry_id>/files/<str:item>/",
        attachment_views.attachments,
        name="attachments",
    ),
    path("attachments/<int:pk>/", attachment_views.attachment, name="attachment"),
    path(
        "attachments/<int:pk>/removed/",
        attachment_views.attachment_removed,
        name="attachment_removed",
    ),
]
