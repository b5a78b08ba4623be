"""All writes of recall, and the forecast of them."""

from .bouncing import Outcome as Outcome
from .bouncing import mail_again as mail_again
from .bouncing import take_in as take_in
from .composing import Composition as Composition
from .composing import lines_of as lines_of
from .forecasting import Coming as Coming
from .forecasting import forecast as forecast
from .forecasting import line_of as line_of
from .holding_back import RecallError as RecallError
from .holding_back import lift as lift
from .holding_back import snooze as snooze
from .holding_back import stop as stop
from .inviting import invite as invite
from .pausing import pause as pause
from .pausing import resume as resume
from .planning import at_site as at_site
from .planning import plan as plan
from .reach import left_out as left_out
from .resending import resend as resend
from .sending import batches as batches
from .sending import judge as judge
from .sending import send as send
from .sending import unfinished as unfinished
from .telling import tell as tell
from .tuning import tune as tune
