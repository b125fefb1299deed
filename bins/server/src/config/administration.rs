//! `[administration]`: who administers clients over HTTP; `[registration]` and `[registration_of.DOMAIN]`: which clients
//! register themselves.

use serde::Deserialize;
use std::path::PathBuf;

/// `[administration]`. Without it, nobody administers clients over HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AdministrationSection {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) keystone: bool,
    pub(crate) cloud_roles: Vec<String>,
    pub(crate) manager_roles: Vec<String>,
    pub(crate) grantable_scope: String,
    pub(crate) cloud_certificates: Vec<String>,
    pub(crate) domain_certificates: Vec<String>,
}

impl Default for AdministrationSection {
    fn default() -> Self {
        Self {
            socket: None,
            keystone: true,
            cloud_roles: vec!["admin".to_owned()],
            manager_roles: vec!["manager".to_owned(), "admin".to_owned()],
            grantable_scope: String::new(),
            cloud_certificates: Vec::new(),
            domain_certificates: Vec::new(),
        }
    }
}

/// `[registration]`, or `[registration_of.DOMAIN]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RegistrationSection {
    pub(crate) enabled: bool,
    pub(crate) scope: String,
    pub(crate) grant_types: Vec<String>,
    pub(crate) token_endpoint_auth_methods: Vec<String>,
    pub(crate) redirect_hosts: Vec<String>,
}

impl Default for RegistrationSection {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            enabled: false,
            scope: "openid profile email groups offline_access".to_owned(),
            grant_types: texts(&["authorization_code", "refresh_token"]),
            token_endpoint_auth_methods: texts(&[
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
                "none",
            ]),
            redirect_hosts: Vec::new(),
        }
    }
}
