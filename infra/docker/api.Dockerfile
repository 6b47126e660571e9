# The API as a container. Build from the repository's root:
#   docker build -f infra/docker/api.Dockerfile -t gantry-api .
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/gantry
COPY Pipfile Pipfile.lock ./
RUN python -m venv .venv && .venv/bin/python -m pip install --no-cache-dir --quiet pipenv==2026.*
RUN PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_NOSPIN=1 .venv/bin/pipenv sync
RUN .venv/bin/python -m pip uninstall --yes --quiet pipenv

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin gantry && install -d -o gantry -m 0700 /data
WORKDIR /opt/gantry
COPY --from=build /opt/gantry/.venv .venv
COPY schemas schemas
COPY api api
ENV PATH=/opt/gantry/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GANTRY_HOST=0.0.0.0 \
    GANTRY_PORT=8000 \
    GANTRY_DATA_DIR=/data
# Who runs it can write nothing here, and Python's own library comes without bytecode.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
    "$(python -c 'import os; print(os.path.dirname(os.__file__))')" .venv/lib schemas api
USER gantry
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"GANTRY_PORT\"]}/health/ready', timeout=2)"]
ENTRYPOINT ["python", "-m"]
CMD ["api.container"]
