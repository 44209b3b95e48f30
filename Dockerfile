# flux-pod as images, for podman, buildah and docker:
#
#     podman build --format docker -t flux-pod .                               flux-pod in an image that has Flux
#     podman build --format docker --target view -t flux-pod-view .            flux-pod beside a Flux view, for `--image-view`
#     podman build --format docker --target installer -t flux-pod-installer .  only `flux-pod install DIR`, for an init container
#
# FLUX_IMAGE is the image that has Flux, such as your own with your program. (OCI's own format has no HEALTHCHECK.)
ARG FLUX_IMAGE=docker.io/fluxrm/flux-core:bookworm-v0.88.0-amd64
# An image with a Flux view, such as the one that the Operator takes.
ARG VIEW_IMAGE=ghcr.io/converged-computing/flux-view-ubuntu:tag-noble
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
# Old on purpose: libraries that were linked against its glibc 2.31 run wherever this Node.js does, which needs glibc 2.28.
ARG LIBRARIES_IMAGE=docker.io/library/debian:bullseye-20250520-slim

# The C++ libraries that Node.js needs and slim images lack.
FROM ${LIBRARIES_IMAGE} AS libraries
RUN mkdir -p /out/lib /out/licenses \
 && for name in libstdc++.so.6 libgcc_s.so.1; do \
      cp -L "$(ls -d /lib/*-linux-gnu*/$name /usr/lib/*-linux-gnu*/$name 2>/dev/null | head -n 1)" /out/lib/; \
    done \
 && cp -L /usr/share/doc/libstdc++6/copyright /out/licenses/libstdc++

FROM ${NODE_IMAGE} AS build
WORKDIR /src
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends binutils patchelf
COPY package.json package-lock.json ./
# The Node.js among the packages is for development: the code cache must be made by the one that goes into the images.
RUN npm ci --ignore-scripts && rm -f node_modules/.bin/node
COPY . .
RUN npm run build
COPY --from=libraries /out/ /out/
# Node.js finds the C++ libraries beside itself, and nothing else does: brokers and programs inherit no LD_LIBRARY_PATH.
RUN cd dist \
 && cp -R flux-pod flux-pod.cjs flux-pod.cache cached.cjs chunks licenses /out/ \
 && cp /usr/local/LICENSE /out/licenses/node \
 && strip -o /out/node "$(command -v node)" \
 && patchelf --force-rpath --set-rpath '$ORIGIN/lib' /out/node \
 && chmod -R a+rX /out \
 && /out/flux-pod version
# The installer has no shell and no libraries but these: Node.js is the interpreter of its flux-pod, with the launcher's flag for SIGUSR1.
RUN mkdir -p /installer/bin /installer/opt /installer/mnt/flux-pod \
 && cp -R /out /installer/opt/flux-pod \
 && cp dist/controller.cjs dist/render.cjs /installer/opt/flux-pod/ \
 && ldd /out/node | awk '$(NF-1) ~ "^/lib" { print $(NF-1) }' | xargs -I{} cp -L --parents {} /installer \
 && printf '%s\n' '#!/opt/flux-pod/node --inspect-port=192.0.2.1:9229' 'process.argv[1] = "/opt/flux-pod/cached.cjs";' 'require(process.argv[1]);' \
      >/installer/bin/flux-pod \
 && chmod 755 /installer/bin/flux-pod \
 && cp -L /usr/share/doc/libc6/copyright /installer/opt/flux-pod/licenses/glibc
# The installer has no use for it. man(1) looks for pages below the directories of PATH.
RUN mkdir -p /out/man/man1 && cp dist/flux-pod.1 /out/man/man1/

FROM scratch AS installer
COPY --from=build /installer/ /
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="flux-pod-installer" \
      org.opencontainers.image.description="Copies flux-pod and its Node.js into a volume, for images that have no Node.js" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/bin
USER 1000:1000
ENTRYPOINT ["flux-pod"]
CMD ["install", "/mnt/flux-pod"]

# A Flux view with flux-pod: one init container brings both into a pod (`--image-view`).
FROM ${VIEW_IMAGE} AS view
COPY --from=build /out/ /opt/flux-pod/
ARG VIEW_IMAGE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="flux-pod-view" \
      org.opencontainers.image.description="A Flux view and flux-pod, for the init container of pods whose images have neither" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${VIEW_IMAGE}"

FROM ${FLUX_IMAGE} AS flux-pod
COPY --from=build /out/ /opt/flux-pod/
ARG FLUX_IMAGE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="flux-pod" \
      org.opencontainers.image.description="The container entrypoint that turns the pods of an Indexed Job into one Flux instance" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${FLUX_IMAGE}"
# Last on PATH, so that a program's own Node.js comes first. flux looks for `flux pod` on FLUX_EXEC_PATH.
ENV PATH="${PATH}:/opt/flux-pod" FLUX_EXEC_PATH=/opt/flux-pod
USER 1000:1000
ENTRYPOINT ["/opt/flux-pod/flux-pod"]
CMD ["run"]
HEALTHCHECK --interval=30s --timeout=3s --start-period=60s CMD ["/opt/flux-pod/flux-pod", "probe", "live"]
