# The service with its built web assets. compose.yaml runs it together with PostGIS.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/gridsvc
ENV PATH=/opt/gridsvc/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Dependencies first: they change less often than the sources.
COPY pyproject.toml constraints.txt README.md ./
RUN python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" > /tmp/needs.txt \
 && pip install -c constraints.txt -r /tmp/needs.txt hatchling
COPY gridsvc gridsvc
COPY geodata geodata
COPY maps maps
COPY api api
COPY scripts/build_web.py scripts/build_web.py
# The assets are built in an environment of their own: Node.js is of no use to the service.
RUN python -m venv /tmp/web && /tmp/web/bin/python scripts/build_web.py \
 && pip install --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
RUN useradd --system --create-home --home-dir /var/lib/gridsvc gridsvc
COPY --from=build /opt/gridsvc /opt/gridsvc
ENV PATH=/opt/gridsvc/bin:$PATH PYTHONUNBUFFERED=1 GRIDSVC_LOG_FORMAT=json
USER gridsvc
WORKDIR /var/lib/gridsvc
VOLUME /var/lib/gridsvc
# Loopback only, until accounts exist: run it with the host's network (see compose.yaml).
CMD ["sh", "-c", "gridsvc db upgrade && exec gridsvc serve"]
