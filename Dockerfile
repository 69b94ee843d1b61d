# The binary is static and needs nothing around it.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build

FROM scratch
COPY --from=build /src/bin/kfp-preflight /kfp-preflight
USER 65532:65532
ENTRYPOINT ["/kfp-preflight"]
