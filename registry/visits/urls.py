from django.urls import path

from . import views

urlpatterns = [path("screenings/<int:pk>/enrol/", views.enrol, name="enrol")]
