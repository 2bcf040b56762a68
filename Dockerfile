# docker build -t garden .                             the processor alone
# docker build -t garden --build-arg EXTRAS=gpu .      with the CUDA libraries; run it with --gpus all
# docker run --rm -v "$PWD/runs:/garden/runs" -v "$PWD/data:/data" garden --experiment=regnety_mini
FROM python:3.11-slim

ARG EXTRAS=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1 \
    TFDS_DATA_DIR=/data
WORKDIR /garden

# The dependencies change less often than the source: they are a layer of their own, which pip fills by
# installing a hollow package with Garden's setup.cfg.
COPY constraints.txt pyproject.toml setup.cfg setup.py /tmp/hollow/
RUN cd /tmp/hollow \
    && mkdir experiments garden \
    && touch LICENSE README.md \
    && echo "__version__ = '0'" > garden/__init__.py \
    && PIP_CONSTRAINT=constraints.txt pip install ".${EXTRAS:+[$EXTRAS]}" \
    && pip uninstall --yes garden-experiments \
    && rm -r /tmp/hollow

# Under the user id 1000 what is written to a mounted folder usually belongs to whoever mounted it.
RUN useradd --create-home --uid 1000 gardener \
    && install --directory --owner=gardener runs /data

COPY . .
RUN python -m compileall -q garden
USER gardener
VOLUME ["/garden/runs", "/data"]
ENTRYPOINT ["python", "launch.py"]
