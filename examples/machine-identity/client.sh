#!/bin/sh
# Gets a token bound to the certificate ci.pem, and calls a service with it over the same certificate.
# Needs curl 7.76 or later.
set -eu
: "${TOKEN_ENDPOINT:=https://id.example.org:8444/v4/oauth2/ops/token}"
: "${SERVICE:=https://compute.example.org/v2.1/servers}"

call() {
    curl --silent --show-error --fail-with-body --max-time 30 \
        --cacert ca.pem --cert ci.pem --key ci.key "$@"
}

answer=$(call --data grant_type=client_credentials --data client_id=ci --data scope=openstack:api "$TOKEN_ENDPOINT")
token=$(printf '%s' "$answer" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

# By standard input: a command line can be read by everybody on the machine.
printf 'Authorization: Bearer %s\n' "$token" | call --header @- "$SERVICE"
