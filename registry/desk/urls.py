from django.urls import path

from . import (
    attendance,
    blank,
    completing,
    health,
    home,
    log,
    matrix,
    notes,
    over_time,
    participant,
    presence,
    query,
    reading,
    saving,
    signing,
    visit,
    worklist,
)
from .work import GROUPS

urlpatterns = [
    path("", home.home, name="home"),
    path("health/", health.health, name="health"),
    path("queries/", query.queries, name="queries"),
    path("queries/<int:pk>/", query.thread, name="query_thread"),
    path("queries/<int:pk>/go/", query.query, name="query"),
    path("queries/<int:pk>/<str:act>/", query.act, name="act_on_query"),
    path("queries/ask/<str:label>/<int:key>/<str:item>/", query.ask, name="ask"),
    path("forms/<int:pk>/verify/", notes.verify_form, name="verify_form"),
    path("read/", reading.read, name="read"),
    *(
        path(f"work/{group.code}/", worklist.worklist, {"group": group}, name=group.list_name)
        for group in GROUPS
        if not group.listed_at
    ),
    path("visits/", matrix.matrix, name="matrix"),
    path("participants/<str:study_number>/", participant.participant, name="participant"),
    path("participants/<str:study_number>/visits/", participant.add_visit, name="add_visit"),
    path(
        "participants/<str:study_number>/over-time/<str:form>/",
        over_time.over_time,
        name="over_time",
    ),
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
    path("visits/<int:pk>/blank/", blank.blank, name="blank_visit"),
    path("visits/<int:pk>/sign/", signing.sign, name="sign_visit"),
    path("visits/<int:pk>/lock/", signing.lock, name="lock_visit"),
    path("visits/<int:pk>/unlock/", signing.unlock, name="unlock_visit"),
    path("participants/<str:study_number>/logs/<str:form>/", log.log, name="log"),
    path("participants/<str:study_number>/logs/<str:form>/<str:row>/", log.log_row, name="log_row"),
    path(
        "participants/<str:study_number>/logs/<str:form>/<str:row>/remove/",
        log.remove_log_row,
        name="remove_log_row",
    ),
    path("visits/<int:pk>/presence/", presence.presence, name="presence"),
    path("visits/<int:pk>/complete/", completing.complete_visit, name="complete_visit"),
    path("visits/<int:pk>/forms/<str:form>/", saving.visit_form, name="visit_form"),
]
