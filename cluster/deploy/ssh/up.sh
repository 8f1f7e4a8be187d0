#!/bin/bash
# A scheduler here and a worker on each host, encrypted, until Ctrl-C:
#
#     ./up.sh CERTIFICATES HOST...
#
# On every host the same Python environment is active for ssh, and ssh asks for no password. CERTIFICATES is a folder that
# `gbdist cluster certs` has made; each host is sent what a worker needs, for as long as the cluster is up.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CERTIFICATES HOST..." >&2
    exit 2
fi
certificates=$(cd "$1" && pwd)
shift
port=${GBDIST_PORT:-8786}
here=${GBDIST_ADDRESS:-$(hostname)}  # the name or address under which hosts reach this machine

finish() {
    # A worker whose scheduler has ended ends too, and its host removes the certificates.
    kill $(jobs -p) 2>/dev/null || true
    wait
}
trap finish EXIT
trap 'exit 130' INT TERM

export DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME=tls DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
dask scheduler --port "$port" --dashboard-address 127.0.0.1:0 --preload gbdist_cluster.preload \
    --tls-ca-file "$certificates/ca.pem" --tls-cert "$certificates/server.pem" --tls-key "$certificates/server-key.pem" &
scheduler=$!

# What a host runs, in whatever shell it has.
worker='
set -eu
folder=$(mktemp -d)   # which nobody else can read
trap "rm -rf $folder" EXIT
tar -C "$folder" -xf -
export DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME=tls DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
export DASK_DISTRIBUTED__COMM__TLS__CA_FILE="$folder/ca.pem"
export DASK_DISTRIBUTED__COMM__TLS__WORKER__CERT="$folder/server.pem" DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY="$folder/server-key.pem"
# The driver of a job runs on a worker, and is a client.
export DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT="$folder/server.pem" DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY="$folder/server-key.pem"
dask worker "$address" --nworkers 1 --local-directory "$folder" --no-dashboard --death-timeout 60
'
for host in "$@"; do
    tar -C "$certificates" -cf - ca.pem server.pem server-key.pem |
        ssh -o BatchMode=yes "$host" "address=tls://$here:$port; $worker" &
done
echo "gbdist train DATA --target COLUMN --scheduler tls://$here:$port --tls $certificates"
wait "$scheduler"
