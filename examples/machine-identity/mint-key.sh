#!/bin/sh
# Makes the key of [keystone.mint], and lets Keystone believe it. The key is made on Sealstone's machine; its public half
# goes to every Keystone node.
set -eu
: "${SECRETS:=/etc/sealstone/secrets}"
: "${PUBLIC:=/etc/keystone/jws-keys/public}"
name=sealstone-$(date -u +%Y%m%d%H%M%S)

(umask 077; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$SECRETS/$name.pem")
openssl pkey -in "$SECRETS/$name.pem" -pubout -out "$SECRETS/$name.pub"

# On each Keystone node. Renamed into its place: Keystone reads the folder at every validation, and while one file in it
# is empty, half written or no public key, it answers 500 to the tokens of others too.
install -m 0644 "$SECRETS/$name.pub" "$PUBLIC/../$name.part"
mv "$PUBLIC/../$name.part" "$PUBLIC/$name.pem"

# When every node has it, and not before: what is signed with it fails at a node that lacks it.
mv "$SECRETS/$name.pem" "$SECRETS/keystone-jws.pem"
rm "$SECRETS/$name.pub"
echo "$PUBLIC/$name.pem"
