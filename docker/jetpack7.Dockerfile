# syntax=docker/dockerfile:1
# A kiosk on a Jetson Orin or Thor with JetPack 7.2: Ubuntu 24.04, Python 3.12, CUDA 13.2,
# TensorRT 10.16. Build it on the board, from the repository's root:
#   docker build -f docker/jetpack7.Dockerfile -t t2f-kiosk .
# Nobody has built or run it yet. docs/jetson.md says how it is run.

# JetPack 7 has no l4t-tensorrt image: NVIDIA serves Jetson with the one for ARM servers (SBSA).
FROM nvcr.io/nvidia/tensorrt:26.05-py3 AS base

FROM base AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Also where the package itself is built, and whatever constraints the image has of its own.
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The system's packages show through for TensorRT, which PyPI does not have for a Jetson.
RUN python3 -m venv --system-site-packages /opt/t2f
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY t2f_runtime t2f_runtime
COPY t2f_train t2f_train
COPY t2f_export t2f_export
RUN /opt/t2f/bin/pip install '.[cpu,tensorrt]' \
    && /opt/t2f/bin/python -c "import importlib.util; assert importlib.util.find_spec('tensorrt')"

FROM base
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent t2f
COPY --from=build /opt/t2f /opt/t2f
COPY docker/kiosk.py /opt/t2f/kiosk.py
# Timing caches of `t2f engine` go where any user may write.
ENV PATH=/opt/t2f/bin:$PATH T2F_CACHE=/tmp/t2f-cache PYTHONUNBUFFERED=1
USER 10001
VOLUME /bundle
EXPOSE 8080
HEALTHCHECK --interval=10m --timeout=2m --start-period=2m --retries=2 \
    CMD ["sh", "-c", "t2f verify /bundle && python -c 'from urllib.request import urlopen; urlopen(\"http://127.0.0.1:8080/\", timeout=10)'"]
ENTRYPOINT []
CMD ["python", "/opt/t2f/kiosk.py", "/bundle", "--host", "0.0.0.0"]
