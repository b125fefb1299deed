#!/bin/sh
# Renews the certificate of `ci`: a new key, the same subject. The old pair stays good until step 4.
set -eu
: "${CA:=ca}"
: "${ISSUER:=https://id.example.org/v4/oauth2/ops}"

# 1. A successor beside the old pair. Nothing is registered anew: the subject is the same.
sealstone ca renew --dir "$CA" --cert ci.pem --out ci-next

# 2. Does it get a token? If not, nothing has changed yet: remove ci-next.pem and ci-next.key.
sealstone token --issuer "$ISSUER" --ca ca.pem --client-id ci --cert ci-next.pem --key ci-next.key \
    --scope openstack:api --format json >/dev/null

# 3. The machine changes over: certificate and key together, then its program is restarted. It asks for a new token, for
#    the one that it has is bound to the old certificate.
cp -p ci.pem ci-old.pem
cp -p ci.key ci-old.key
mv ci-next.key ci.key
mv ci-next.pem ci.pem
