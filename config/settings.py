"""One settings module, from the environment.

Without ``DATABASE_URL`` and ``REDIS_URL`` the embedded services of ``config/local.py`` serve, with
generated secrets (demo and tests). ``SAPHENA_ENV=production`` refuses to start on anything but
named services and secrets.
"""

import os
import re
from pathlib import Path

import environ
from bootstrap_wrapper import get_bootstrap_dir
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = os.environ.get("SAPHENA_ENV") == "production"
NEEDED = (
    "DATABASE_URL REDIS_URL EMAIL_URL SECRET_KEY IDENTITY_KEYS IDENTITY_INDEX_KEY"
    " ALLOWED_HOSTS SITE_URL DEFAULT_FROM_EMAIL MEDIA_ROOT"
).split()
SERVICES = ("DATABASE_URL", "OWNER_DATABASE_URL", "RELEASE_DATABASE_URL", "REDIS_URL", "EMAIL_URL")
NAMED_SERVICES = [name for name in SERVICES if name in os.environ]  # not embedded ones

if PRODUCTION:
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise ImproperlyConfigured(f"Production needs {', '.join(missing)} in the environment.")
elif "DATABASE_URL" not in os.environ or "REDIS_URL" not in os.environ:
    from . import local

    for name, value in local.ensure().items():
        os.environ.setdefault(name, value)

env = environ.Env()

SECRET_KEY = env.str("SECRET_KEY")
IDENTITY_KEYS = env.str("IDENTITY_KEYS")
IDENTITY_INDEX_KEY = env.str("IDENTITY_INDEX_KEY")
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
SITE_URL = env.str("SITE_URL", default=f"http://localhost:{env.str('PORT', default='8000')}")
CSRF_TRUSTED_ORIGINS = [SITE_URL]

# The order of the rooms: each imports only those below it. It is the table of contents.
ROOMS = [
    "registry.core.apps.CoreConfig",
    "registry.access.apps.AccessConfig",
    "registry.audit.apps.AuditConfig",
    "registry.quality.apps.QualityConfig",
    "registry.participants.apps.ParticipantsConfig",
    "registry.visits.apps.VisitsConfig",
    "registry.imaging.apps.ImagingConfig",
    "registry.ulcers.apps.UlcersConfig",
    "registry.crfs.apps.CrfsConfig",
    "registry.recall.apps.RecallConfig",
    "registry.exports.apps.ExportsConfig",
    "registry.reports.apps.ReportsConfig",
    "registry.desk.apps.DeskConfig",
    "registry.api.apps.ApiConfig",
    "registry.simulation.apps.SimulationConfig",
]
INSTALLED_APPS = [
    *ROOMS,
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "lucide",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "registry.access.middleware.TextMiddleware",  # after the first to read what was posted
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "registry.access.language.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "registry.access.session.SessionMiddleware",
    "registry.access.middleware.ScopeMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "registry.desk.navigation.navigation",
            ],
            "builtins": ["lucide.templatetags.lucide", "registry.core.templatetags.saphena"],
        },
    }
]

# Web role, and where a process is given them: the owner (migrations) and the release log-in.
DATABASES = {"default": env.db_url("DATABASE_URL")}
for alias, name in (("owner", "OWNER_DATABASE_URL"), ("release", "RELEASE_DATABASE_URL")):
    if os.environ.get(name):
        DATABASES[alias] = env.db_url(name)
# The web role once more: what reads one moment for long writes beside it, in other transactions.
DATABASES["snapshot"] = env.db_url("DATABASE_URL")
for database in DATABASES.values():
    database["CONN_MAX_AGE"] = 60
    database["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
CACHES["default"]["LOCATION"] = REDIS_URL

vars().update(env.email_url("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Saphena <saphena@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# Where mails come back to, read by ``manage.py read_bounces``; the mails' own sender when empty.
BOUNCE_ADDRESS = env.str("BOUNCE_ADDRESS", default="")
if BOUNCE_ADDRESS and not re.fullmatch(r"[a-zA-Z0-9._-]{1,27}@[a-zA-Z0-9.-]+", BOUNCE_ADDRESS):
    raise ImproperlyConfigured(
        f"BOUNCE_ADDRESS is “{BOUNCE_ADDRESS}”; name one like bounce@registry.example.org."
    )

AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_REDIRECT_URL = "home"
LOGIN_URL = "account_login"
ACCOUNT_ADAPTER = "registry.access.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PRESERVE_USERNAME_CASING = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False

SESSION_COOKIE_AGE = 30 * 60  # from the last thing a person did: access/session.py
SESSION_SAVE_EVERY_REQUEST = False  # a poll must not extend it
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION and env.bool("SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語"), ("pt-br", "Português (Brasil)")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("bootstrap", get_bootstrap_dir()),
]
MEDIA_ROOT = env.str("MEDIA_ROOT")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# So many people must look alike in a dataset, by its profile (exports/disclosure/declared.py).
DISCLOSURE_K = {
    "limited": env.int("DISCLOSURE_K_LIMITED", default=5),
    "safe_harbor": env.int("DISCLOSURE_K_SAFE_HARBOR", default=11),
}
if min(DISCLOSURE_K.values()) < 1:
    raise ImproperlyConfigured("DISCLOSURE_K_LIMITED and _SAFE_HARBOR are numbers of people.")
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
FILM_MAX_BYTES = 100 * 2**20

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_ROUTES = {
    "registry.exports.tasks.build_site_copy": {"queue": "celery"},
    "registry.exports.*": {"queue": "datasets"},
}
CELERY_TIMEZONE = "UTC"
CELERY_DB_REUSE_MAX = 2**31  # connections stay between tasks; config/celery.py looks after them

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["registry.api.authentication.ScopedUser"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "registry.api.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Saphena",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [],  # answers stand at their item, not in shared types
}

TEST_RUNNER = "django.test.runner.DiscoverRunner"
