from django.urls import path

from . import views

urlpatterns = [
    path("visits/<int:visit_id>/ulcers/new/", views.add_ulcer, name="add_ulcer"),
    path("ulcers/<int:pk>/", views.ulcer, name="ulcer"),
    path("ulcers/<int:pk>/correct/", views.correct_ulcer, name="correct_ulcer"),
]
