# One image for every process: worker, API, dispatcher, migrations and the command line.
# The servers (PostgreSQL, Temporal, mail) run elsewhere: docker-compose.yml, or your own.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app

# The dependencies change more rarely than the code: a layer of their own. Every file is checked
# against its hash. There is one lock file, so the tools of developers come along.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE alembic.ini worker.py ./
COPY domain/ domain/
COPY models/ models/
COPY connectors/ connectors/
COPY documents/ documents/
COPY activities/ activities/
COPY workflows/ workflows/
COPY starter/ starter/
COPY migrations/ migrations/
COPY samples/ samples/
# Editable: templates, fonts and migrations are read from where they lie, beside the code.
RUN pip install --no-deps --no-build-isolation -e .

RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent zahltag \
    && install -d -o zahltag -g zahltag -m 0700 /data
ENV ZAHLTAG_DATA_DIR=/data
USER zahltag

ENTRYPOINT ["zahltag"]
CMD ["--help"]
