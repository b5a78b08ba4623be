from django.urls import path

from . import views

urlpatterns = [
    path("participants/", views.participants, name="participants"),
    path("participants/find/", views.identity_search, name="identity_search"),
    path("participants/screen/", views.screen, name="screen"),
    path("participants/<str:study_number>/identity/", views.identity, name="identity"),
    path(
        "participants/<str:study_number>/identity/correct/",
        views.correct_identity,
        name="identity_correct",
    ),
    path("participants/<str:study_number>/consent/", views.renew_consent, name="consent_renew"),
    path("participants/<str:study_number>/withdraw/", views.withdraw, name="withdraw"),
    path("screenings/", views.screenings, name="screenings"),
    path("screenings/<int:pk>/", views.screening, name="screening"),
    path("screenings/<int:pk>/consent/", views.take_consent, name="consent"),
    path("sites/<int:pk>/consent-versions/", views.consent_versions, name="consent_versions"),
]
