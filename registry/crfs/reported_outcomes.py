"""Outcomes as the participant reports them: scores only, no text of a licensed questionnaire."""

from registry.core.dictionary import choice, number, score, text
from registry.visits.crf import VisitCrf, crf


@crf("Reported outcomes", code="reported_outcomes")
class ReportedOutcomes(VisitCrf):
    pain_nrs = score(
        "Pain (0–10)",
        [str(step) for step in range(11)],
        required=True,
        help="0 no pain, 10 the worst pain imaginable.",
    )
    eq5d_profile = text(
        "EQ-5D, the five answers",
        pattern="[1-5]{5}",
        privacy="release",
        one_line=True,
        help="Five digits from 1 to 5 in the order of the questionnaire, such as 21111.",
    )
    eq5d_version = choice("EQ-5D, version", [("5L", "EQ-5D-5L"), ("3L", "EQ-5D-3L")])
    eq5d_vas = number("EQ-5D, scale of today’s health", possible=(0, 100))
    veines_qol = number(
        "VEINES-QOL", possible=(0, 100), places=1, help="By the intrinsic scoring, 0 to 100."
    )
    veines_sym = number(
        "VEINES-Sym", possible=(0, 100), places=1, help="By the intrinsic scoring, 0 to 100."
    )
