# The bridge as a container, beside the printers. Build from the repository's root:
#   docker build -f infra/docker/bridge.Dockerfile -t gantry-bridge .
# Senders live and die with this container: replacing it in mid-print interrupts the print. On a
# machine that prints for days, run the bridge by systemd instead (infra/systemd).
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/gantry
COPY Pipfile Pipfile.lock ./
RUN python -m venv .venv && .venv/bin/python -m pip install --no-cache-dir --quiet pipenv==2026.*
RUN PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_NOSPIN=1 .venv/bin/pipenv sync
RUN .venv/bin/python -m pip uninstall --yes --quiet pipenv

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10002 --groups dialout --no-create-home --shell /usr/sbin/nologin gantry && install -d -o gantry -m 0700 /state
WORKDIR /opt/gantry
COPY --from=build /opt/gantry/.venv .venv
COPY schemas schemas
COPY bridge bridge
ENV PATH=/opt/gantry/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GANTRY_STATE_DIR=/state
# Who runs it can write nothing here, and Python's own library comes without bytecode.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
    "$(python -c 'import os; print(os.path.dirname(os.__file__))')" .venv/lib schemas bridge
USER gantry
VOLUME /state
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-m", "bridge", "status", "--json"]
ENTRYPOINT ["python", "-m", "bridge"]
CMD ["run"]
