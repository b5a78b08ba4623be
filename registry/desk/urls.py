from django.urls import path

from . import completing, health, home, log, participant, presence, query, saving, visit

urlpatterns = [
    path("", home.home, name="home"),
    path("health/", health.health, name="health"),
    path("queries/<int:pk>/", query.query, name="query"),
    path("visits/", home.worklist, name="worklist"),
    path("participants/<str:study_number>/", participant.participant, name="participant"),
    path("participants/<str:study_number>/visits/", participant.add_visit, name="add_visit"),
    path("participants/<str:study_number>/logs/<str:form>/", log.log, name="log"),
    path("participants/<str:study_number>/logs/<str:form>/<str:row>/", log.log_row, name="log_row"),
    path(
        "participants/<str:study_number>/logs/<str:form>/<str:row>/remove/",
        log.remove_log_row,
        name="remove_log_row",
    ),
    path("visits/<int:pk>/", visit.visit, name="visit"),
    path("visits/<int:pk>/attend/", visit.attend, name="attend_visit"),
    path("visits/<int:pk>/miss/", visit.miss, name="miss_visit"),
    path("visits/<int:pk>/presence/", presence.presence, name="presence"),
    path("visits/<int:pk>/complete/", completing.complete_visit, name="complete_visit"),
    path("visits/<int:pk>/forms/<str:form>/", saving.visit_form, name="visit_form"),
]
