"""Writes of visits and forms."""

from .attendance import add_forms as add_forms
from .attendance import add_unscheduled_visit as add_unscheduled_visit
from .attendance import attend_visit as attend_visit
from .attendance import book_visit as book_visit
from .attendance import cancel_booking as cancel_booking
from .attendance import correct_attendance as correct_attendance
from .attendance import miss_visit as miss_visit
from .attendance import record_as_unscheduled as record_as_unscheduled
from .attendance import take_back_missed as take_back_missed
from .entries import add_row as add_row
from .entries import discard_draft as discard_draft
from .entries import log_rows as log_rows
from .entries import remove_row as remove_row
from .entries import save_draft as save_draft
from .entries import save_form as save_form
from .errors import StaleError as StaleError
from .errors import VisitError as VisitError
from .plan import adopt_plan as adopt_plan
from .plan import enrol_and_plan as enrol_and_plan
from .plan import refresh_forms as refresh_forms
from .plan import refresh_onward as refresh_onward
from .plan import replan as replan
from .plan import settle as settle
