# brxy as an image, which runs as a user without any right. In a checkout:
#
#     docker build -t brxy .
#     docker run --rm -p 8080:8080 brxy edge --state-dir /var/lib/brxy --spawn "..."
#
# BASE needs Python 3.11 or newer with its venv, and setpriv of util-linux. PIP_ARGS are for
# pip, for example the index from which it gets what brxy needs.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG PIP_ARGS=
COPY . /usr/src/brxy
RUN python3 -m venv /opt/brxy \
    && /opt/brxy/bin/python -m pip install --no-cache-dir ${PIP_ARGS} /usr/src/brxy \
    && /opt/brxy/bin/twistd --help > /dev/null

FROM ${BASE}
COPY --from=build /opt/brxy /opt/brxy
RUN mkdir -p /var/lib/brxy && chown 65532:65532 /var/lib/brxy && chmod 700 /var/lib/brxy
ENV PATH=/opt/brxy/bin:$PATH
USER 65532:65532
WORKDIR /var/lib/brxy
EXPOSE 8080
# Finds the edge whose state folder is /var/lib/brxy, or the one that BRXY_ADMIN names.
HEALTHCHECK --interval=10s --timeout=5s CMD ["brxy", "status"]
ENTRYPOINT ["brxy"]
CMD ["edge", "--help"]
