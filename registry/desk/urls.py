from django.urls import path

from . import attendance, health, home, participant, query, saving, visit

urlpatterns = [
    path("", home.home, name="home"),
    path("health/", health.health, name="health"),
    path("queries/<int:pk>/", query.query, name="query"),
    path("visits/", home.worklist, name="worklist"),
    path("participants/<str:study_number>/", participant.participant, name="participant"),
    path("participants/<str:study_number>/visits/", participant.add_visit, name="add_visit"),
    path("visits/<int:pk>/", visit.visit, name="visit"),
    path("visits/<int:pk>/attend/", attendance.attend, name="attend_visit"),
    path("visits/<int:pk>/date/", attendance.correct_attendance, name="correct_attendance"),
    path(
        "visits/<int:pk>/unscheduled/",
        attendance.record_as_unscheduled,
        name="record_as_unscheduled",
    ),
    path("visits/<int:pk>/book/", attendance.book, name="book_visit"),
    path("visits/<int:pk>/book/cancel/", attendance.cancel_booking, name="cancel_booking"),
    path("visits/<int:pk>/miss/", attendance.miss, name="miss_visit"),
    path("visits/<int:pk>/missed/", attendance.take_back_missed, name="take_back_missed"),
    path("visits/<int:pk>/forms/", attendance.add_forms, name="add_forms"),
    path("visits/<int:pk>/forms/<str:form>/", saving.visit_form, name="visit_form"),
]
