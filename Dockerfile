# The service with its built web assets. compose.yaml runs it together with PostGIS.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/gridsvc
ENV PATH=/opt/gridsvc/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Dependencies first: they change less often than the sources.
COPY pyproject.toml constraints.txt README.md ./
RUN python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" > /tmp/needs.txt \
 && pip install -c constraints.txt -r /tmp/needs.txt
COPY gridsvc gridsvc
COPY geodata geodata
COPY maps maps
COPY api api
COPY scripts/build_web.py scripts/build_web.py
# Assets and wheel are built in an environment of their own: the service needs neither Node.js nor
# a build tool.
RUN python -m venv /tmp/tools && /tmp/tools/bin/pip install -c constraints.txt hatchling \
 && /tmp/tools/bin/python scripts/build_web.py \
 && /tmp/tools/bin/pip wheel --no-deps --no-build-isolation -w /tmp/wheel . \
 && pip install --no-deps /tmp/wheel/*.whl

FROM python:3.12-slim-bookworm
# A fixed number: files in the volume keep their owner when the image is built again.
RUN groupadd --gid 10001 gridsvc \
 && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /var/lib/gridsvc gridsvc
COPY --from=build /opt/gridsvc /opt/gridsvc
ENV PATH=/opt/gridsvc/bin:$PATH PYTHONUNBUFFERED=1 GRIDSVC_LOG_FORMAT=json
USER gridsvc
WORKDIR /var/lib/gridsvc
VOLUME /var/lib/gridsvc
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('GRIDSVC_PORT', '8000') + '/healthz', timeout=4)"]
# Loopback only, until accounts exist: run it with the host's network (see compose.yaml).
CMD ["sh", "-c", "gridsvc db upgrade && exec gridsvc serve"]
