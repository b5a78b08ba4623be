from django.urls import path

from . import views

urlpatterns = [
    path("queries/rules/", views.rules, name="rules"),
]
