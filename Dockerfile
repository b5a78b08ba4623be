# One image for web, workers, timetable and migrations; docker-compose.yml says who runs what.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 UV_PYTHON_DOWNLOADS=never PATH=/app/.venv/bin:$PATH
WORKDIR /app

RUN pip install --no-cache-dir uv
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-cache

COPY . .

# collectstatic reads the settings but asks no service, so the names may lead nowhere.
ENV STATIC_ROOT=/app/staticfiles
RUN DATABASE_URL=postgres://none/none REDIS_URL=redis://none EMAIL_URL=dummymail:// MEDIA_ROOT=/media \
    SECRET_KEY=none IDENTITY_KEYS=none IDENTITY_INDEX_KEY=none \
    python manage.py collectstatic --noinput

RUN useradd --create-home saphena && mkdir /media && chown saphena /media
USER saphena
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--bind=0.0.0.0:8000", "--workers=3", "--worker-tmp-dir=/dev/shm"]
