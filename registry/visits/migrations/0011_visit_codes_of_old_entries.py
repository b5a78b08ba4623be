"""Entries made before carry their visits' codes too."""

from django.db import migrations

# No history: nobody changes it, and it follows from the visit.
FILL = """
ALTER TABLE visits_formentry DISABLE TRIGGER USER;
UPDATE visits_formentry e SET visit_code = v.code FROM visits_visit v WHERE v.id = e.visit_id;
ALTER TABLE visits_formentry ENABLE TRIGGER USER;
"""


class Migration(migrations.Migration):
    dependencies = [("visits", "0010_entry_visit_code")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
