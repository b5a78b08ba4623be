"""The paper forms, one file each."""

from .ceap import Ceap as Ceap
from .laboratory import Laboratory as Laboratory
from .limits import LaboratoryLimit as LaboratoryLimit
from .vcss import Vcss as Vcss
