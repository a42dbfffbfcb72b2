# An image with modalgrid as its command (docs/docker.md says how to use it):
#
#     docker build -t modalgrid .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" modalgrid run items.csv
#
# Pip's torch for Linux brings CUDA: such an image computes on a GPU where it is given one (docker
# run --gpus all), and on the processor elsewhere. For an image without CUDA, several gigabytes
# smaller, give the address of PyTorch's index of CPU builds ("Get started" on pytorch.org, pip and
# CPU); for one without torch, which compares texts and simple picture features, other extras:
#
#     docker build -t modalgrid:cpu --build-arg TORCH_INDEX=ADDRESS .
#     docker build -t modalgrid:base --build-arg EXTRAS=serve .
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=""
ARG EXTRAS="demo,serve"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/modalgrid
ENV PATH="/opt/modalgrid/bin:$PATH"
# pip's downloads stay in a cache of the builder, so that a changed source costs no second download
# of torch; the least versions stand in setup.cfg
# hadolint ignore=DL3013,DL3042
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ -n "$TORCH_INDEX" ]; then pip install --index-url "$TORCH_INDEX" torch torchvision; fi
WORKDIR /src
COPY . .
# hadolint ignore=DL3013,DL3042
RUN --mount=type=cache,target=/root/.cache/pip pip install ".${EXTRAS:+[$EXTRAS]}"

FROM python:${PYTHON}-slim
COPY --from=build /opt/modalgrid /opt/modalgrid
ENV PATH="/opt/modalgrid/bin:$PATH"
RUN useradd --create-home --uid 1000 modalgrid
USER 1000
WORKDIR /work
EXPOSE 8000
ENTRYPOINT ["modalgrid"]
CMD ["--help"]
