//! Application credentials of a Keystone: clients that are tied to them, without their secrets.

use super::{ImportedClient, Reader};

pub(super) fn read(mut credential: Reader) -> ImportedClient {
    // `openstack … -f json` writes the names of its columns.
    for (column, member) in [
        ("ID", "id"),
        ("Name", "name"),
        ("Project ID", "project_id"),
        ("User ID", "user_id"),
        ("Description", "description"),
        ("Expires At", "expires_at"),
        ("Unrestricted", "unrestricted"),
        ("Roles", "roles"),
    ] {
        if let Some(value) = credential.members.remove(column) {
            credential.members.insert(member.to_owned(), value);
        }
    }
    let id = credential.text("id").unwrap_or_default();
    let name = credential.text("name").unwrap_or_else(|| id.clone());
    if credential.is_true("unrestricted") {
        let why = "it is unrestricted, and makes further credentials that outlive it: make a restricted one";
        return credential.refused(&name, why);
    }
    let (user, project) = (credential.text("user_id"), credential.text("project_id"));
    let (Some(user), Some(project)) = (user, project) else {
        let why = "the list lacks user_id or project_id, without which nobody can act for it: list it by the API, as its \
                   user, or add them";
        return credential.refused(&name, why);
    };
    if credential.take("expires_at").is_some() {
        let why = "Keystone ends it on its date; give openstack_application_credential_expires_at, so that no token \
                   outlives it";
        credential.drop("expires_at", why);
    }
    credential.set("client_name", name.clone());
    credential.set("scope", "openstack:api");
    credential.set("openstack_application_credential_id", id.clone());
    credential.set("openstack_user_id", user);
    credential.set("openstack_project_id", project);
    // Keystone does not tell the secret of one that exists.
    credential.set("openstack_minted", true);
    // Roles and access rules stay Keystone's: it is asked whenever a token is issued.
    credential.ignore(&[
        "roles",
        "access_rules",
        "links",
        "description",
        "system",
        "secret",
    ]);
    let client_id = format!("ac-{id}");
    credential.done(&name, &client_id, None)
}
