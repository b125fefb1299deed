#!/bin/sh
# Registers two machines, as the server's user. OS_TOKEN, or what an openrc file exports, is of somebody who holds what
# the machines get: more is refused.
set -eu
: "${CONFIG:=/etc/sealstone/sealstoned.toml}"

# Acts as a user in one project, with the roles it has there. No secret anywhere; needs [keystone.mint].
sealstone client create ci --config "$CONFIG" --domain ops --new-domain \
    --subject-dn 'CN=ci,O=Example' --scope openstack:api \
    --openstack-user "$USER_ID" --openstack-project "$PROJECT_ID"

# Acts as an application credential, whose secret is kept encrypted. Works with every Keystone.
sealstone client create exporter --config "$CONFIG" --domain ops \
    --subject-dn 'CN=exporter,O=Example' --scope openstack:api \
    --openstack-application-credential "$CREDENTIAL_ID" \
    --openstack-application-credential-secret-file "$CREDENTIAL_SECRET_FILE"
