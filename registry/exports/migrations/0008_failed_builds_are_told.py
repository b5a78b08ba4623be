"""From now on a mail says when a build failed: of those before, nobody waits for one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("exports", "0007_pseudonyms_without_needless_indexes")]
    operations = [
        migrations.RunSQL(
            "UPDATE exports_dataset SET told_at = finished_at WHERE state = 'failed'",
            migrations.RunSQL.noop,
        )
    ]
