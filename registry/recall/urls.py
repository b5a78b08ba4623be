from django.urls import path

from . import coming_views, views

urlpatterns = [
    path("recall/", views.recalls, name="recalls"),
    path("recall/coming/", coming_views.coming, name="recalls_coming"),
    path("recall/settings/<str:prefix>/", views.tuning, name="recall_tuning"),
    path("recall/snooze/<str:label>/<int:key>/", coming_views.snooze, name="recall_snooze"),
    path(
        "recall/participants/<str:study_number>/",
        coming_views.of_participant,
        name="recall_of_participant",
    ),
    path("recall/<int:pk>/", views.recall, name="recall"),
    path("recall/<int:pk>/html/", views.recall_html, name="recall_html"),
    path("recall/<int:pk>/again/", views.recall_again, name="recall_again"),
]
