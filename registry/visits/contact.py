"""Contact attempts: three of them before anybody counts as lost to follow-up."""

from registry.core.dictionary import choice, date

from .crf import LogCrf, crf


@crf("Contact attempts", code="contact")
class Contact(LogCrf):
    attempted_on = date("Tried on", required=True)
    means = choice("By", ["phone", "letter", ("email", "e-mail"), "other"])
    outcome = choice(
        "Outcome",
        ["reached", ("not_reached", "not reached"), ("declined", "reached, declined")],
        required=True,
    )
