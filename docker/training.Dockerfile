# Training on a GPU: the CUDA build of torch and of faiss, from their own wheels, which
# carry the CUDA libraries; the host needs only the driver and its container runtime.
#   docker build -f docker/training.Dockerfile -t earshot-training .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE}
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --quiet -c constraints.txt ".[training,gpu,frontends]" \
 && rm -rf build earshot.egg-info \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin earshot \
 && mkdir /runs \
 && chown earshot /runs
COPY crossmodal crossmodal
COPY training training
COPY index index
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /runs
ENTRYPOINT ["python", "-m", "training"]
CMD ["--help"]
