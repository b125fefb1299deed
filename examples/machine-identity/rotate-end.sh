#!/bin/sh
# 4. An hour later at most, the last token bound to the old certificate has ended: revoke it, and forget its key.
set -eu
: "${CA:=ca}"
: "${SEALSTONE_ETC:=/etc/sealstone}"

sealstone ca revoke --dir "$CA" --cert ci-old.pem --reason superseded
sealstone ca crl --dir "$CA"
install -m 0644 "$CA/crl.pem" "$SEALSTONE_ETC/client-ca.crl"
rm ci-old.pem ci-old.key
