from django.urls import path

from . import views

urlpatterns = [
    path("visits/<int:visit_id>/xray/<str:limb>/films/", views.films, name="films"),
    path("films/<int:pk>/picture/", views.film_picture, name="film_picture"),
    path("films/<int:pk>/original/", views.film_original, name="film_original"),
    path("films/<int:pk>/checked/", views.film_checked, name="film_checked"),
    path("films/<int:pk>/removed/", views.film_removed, name="film_removed"),
    path("readings/", views.readings, name="readings"),
    path("readings/<str:key>/", views.reading, name="reading"),
    path("readings/<str:key>/films/<int:number>/", views.reading_film, name="reading_film"),
]
