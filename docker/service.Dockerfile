# The service: encoders, index and HTTP, without torch. Built from the repository root:
#   docker build -f docker/service.Dockerfile -t earshot-service .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --quiet -c constraints.txt ".[service,frontends]"
COPY crossmodal /app/crossmodal
COPY index /app/index
COPY service /app/service
# Bytecode is made here because the running image cannot write any.
RUN /opt/venv/bin/python -m compileall -q /opt/venv/lib /app

FROM ${BASE} AS service
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin earshot \
 && mkdir /data /weights \
 && chown earshot /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
# One thread per search: concurrency comes from the service's own pool, and libraries that
# start threads of their own multiply with it.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    EARSHOT_HOST=0.0.0.0 \
    EARSHOT_PORT=8000 \
    EARSHOT_DATA=/data \
    EARSHOT_WEIGHTS=/weights
USER 10001
EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
