//! The access token of these benches: fourteen claims, about 550 bytes of JSON.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) client_id: String,
    pub(crate) iat: u64,
    pub(crate) nbf: u64,
    pub(crate) exp: u64,
    pub(crate) jti: String,
    pub(crate) scope: String,
    pub(crate) cnf: Confirmation,
    pub(crate) auth_time: u64,
    pub(crate) acr: String,
    pub(crate) amr: Vec<String>,
    pub(crate) domain: Domain,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Confirmation {
    #[serde(rename = "x5t#S256")]
    pub(crate) x5t_s256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Domain {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Claims {
    pub(crate) fn example() -> Self {
        let text = str::to_owned;
        Self {
            iss: text("https://sso.cloud.example/domains/demo"),
            sub: text("8f4c2a0e6d1b4a57"),
            aud: text("openstack-apis:3c1d5e7f90ab4c2d8e6f"),
            client_id: text("machine-san_0123456789"),
            iat: 1_790_000_000,
            nbf: 1_790_000_000,
            exp: 1_790_003_600,
            jti: text("q0yM0Kc1TnyTb1v3mJ5zZg"),
            scope: text("openstack:api images:read images:write"),
            cnf: Confirmation {
                x5t_s256: text("A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"),
            },
            auth_time: 1_790_000_000,
            acr: text("urn:example:acr:mtls"),
            amr: vec![text("swk"), text("mca")],
            domain: Domain {
                id: text("3c1d5e7f90ab4c2d8e6f"),
                name: text("Demonstration domain"),
            },
        }
    }
}
