# Images of MemVault and of the user API: nothing in them but one static program.
#
#   docker build -t memvault .                               compiled in the image `rust`
#   docker build -t memvault-user-api --target user-api .
#
# Where no registry is reachable, from programs that deploy/static has compiled already, in a folder of their own:
#
#   deploy/static memvault target/static && deploy/static user-api target/static
#   docker build -t memvault          --target memvault-prebuilt -f Dockerfile target/static
#   docker build -t memvault-user-api --target user-api-prebuilt -f Dockerfile target/static
#
# The stages that need no registry come first: a builder other than BuildKit builds all stages up to its target.

FROM scratch AS memvault-runtime
# A number, as there is no /etc/passwd; any other will do as well.
USER 65532:65532
# A container is reached by its own address. Clients from outside it are refused until MEMVAULT_PROTECTED_MODE is no.
ENV MEMVAULT_HOST=0.0.0.0
EXPOSE 6379
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/memvault", "ping"]
ENTRYPOINT ["/memvault"]
CMD ["serve"]

FROM scratch AS empty
WORKDIR /data

FROM scratch AS user-api-runtime
# Where the database is, for a user who may write nowhere else.
COPY --from=empty --chown=65532:65532 /data /data
VOLUME /data
WORKDIR /data
USER 65532:65532
ENV USER_API_LISTEN=0.0.0.0:3000
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["/user-api", "--check"]
ENTRYPOINT ["/user-api"]

FROM memvault-runtime AS memvault-prebuilt
COPY memvault /memvault

FROM user-api-runtime AS user-api-prebuilt
COPY user-api /user-api

FROM rust:1-bookworm AS builder
WORKDIR /source
COPY . .
RUN deploy/static memvault /static && deploy/static user-api /static

FROM user-api-runtime AS user-api
COPY --from=builder /static/user-api /user-api

# The last one is what a build without --target makes.
FROM memvault-runtime AS memvault
COPY --from=builder /static/memvault /memvault
