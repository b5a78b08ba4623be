from django.urls import path

from . import coming_views, mail_views, views

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
    path("recall/pause/<str:token>/", mail_views.mail_pause, name="mail_pause"),
    path("recall/sites/<int:pk>/pause/", mail_views.recall_pause, name="recall_pause"),
    path("recall/sites/<int:pk>/resume/", mail_views.recall_resume, name="recall_resume"),
    path("recall/stops/", mail_views.mail_stops, name="mail_stops"),
    path("recall/stops/<int:pk>/lift/", mail_views.mail_again, name="mail_again"),
    path("recall/<int:pk>/", views.recall, name="recall"),
    path("recall/<int:pk>/html/", views.recall_html, name="recall_html"),
    path("recall/<int:pk>/again/", views.recall_again, name="recall_again"),
]
