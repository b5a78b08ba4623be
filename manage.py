#!/usr/bin/env python
"""Django's command line for Saphena."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from config.embedded import LocalServicesError

    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, LocalServicesError) as error:
        sys.exit(str(error))
