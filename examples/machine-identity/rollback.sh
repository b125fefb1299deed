#!/bin/sh
# Takes machine identity back. The machines go on with what they had before, which nothing here has touched.
set -eu
: "${CONFIG:=/etc/sealstone/sealstoned.toml}"
: "${PUBLIC:=/etc/keystone/jws-keys/public}"

# Nobody gets another token, and introspection knows none any more. `client enable` undoes it.
sealstone client disable ci --config "$CONFIG"
sealstone client disable exporter --config "$CONFIG"

# Keystone believes nothing that Sealstone made: on each Keystone node, at the next validation.
rm -f "$PUBLIC"/sealstone-*.pem
