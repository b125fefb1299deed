use serde::{Deserialize, Serialize};

use crate::Issuer;

macro_rules! metadata {
    (
        $(#[$attribute:meta])*
        $type:ident ($($required:ident: $required_type:ty),*)
        urls { $($(#[$url_doc:meta])* $url:ident,)* }
        lists { $($(#[$list_doc:meta])* $list:ident,)* }
        flags { $($(#[$flag_doc:meta])* $flag:ident,)* }
        others { $($(#[$other_doc:meta])* $other:ident: $other_type:ty,)* }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub struct $type {
            $(
                /// The issuer, equal to the URL that it was fetched by (RFC 8414 §3.3).
                pub $required: $required_type,
            )*
            $(
                $(#[$url_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $url: Option<String>,
            )*
            $(
                $(#[$list_doc])*
                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                pub $list: Vec<String>,
            )*
            $(
                $(#[$flag_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $flag: Option<bool>,
            )*
            $(
                $(#[$other_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $other: Option<$other_type>,
            )*
        }

        impl $type {
            /// A document in which every optional member is absent.
            #[must_use]
            pub const fn new($($required: $required_type),*) -> Self {
                Self {
                    $($required,)*
                    $($url: None,)*
                    $($list: Vec::new(),)*
                    $($flag: None,)*
                    $($other: None,)*
                }
            }
        }
    };
}

metadata! {
    /// What an authorization server says about itself (RFC 8414 §2, OpenID Connect Discovery 1.0 §3).
    ///
    /// A member that is `None` or empty is left out of the document, as RFC 8414 §3.2 demands. A member that is
    /// not known is ignored on reading.
    ///
    /// # Examples
    /// ```
    /// use sealstone_oauth_types::{Issuer, ServerMetadata};
    ///
    /// let issuer = Issuer::parse("https://id.example/v4/oauth2/demo")?;
    /// let mut metadata = ServerMetadata::new(issuer.clone());
    /// metadata.token_endpoint = Some(format!("{issuer}/token"));
    /// assert!(!serde_json::to_string(&metadata).unwrap().contains("authorization_endpoint"));
    /// # Ok::<(), sealstone_oauth_types::ValueError>(())
    /// ```
    ServerMetadata (issuer: Issuer)
    urls {
        /// RFC 6749 §3.1.
        authorization_endpoint,
        /// RFC 6749 §3.2.
        token_endpoint,
        /// The keys that verify its signatures (RFC 7517 §5).
        jwks_uri,
        /// RFC 7591 §3.
        registration_endpoint,
        /// RFC 7662 §2.
        introspection_endpoint,
        /// RFC 7009 §2.
        revocation_endpoint,
        /// RFC 8628 §4.
        device_authorization_endpoint,
        /// RFC 9126 §5.
        pushed_authorization_request_endpoint,
        /// OpenID Connect Core §5.3.
        userinfo_endpoint,
        /// OpenID Connect RP-Initiated Logout §2.1.
        end_session_endpoint,
        /// OpenID Connect Session Management §3.3.
        check_session_iframe,
        /// For developers.
        service_documentation,
        /// What the client may do with the data.
        op_policy_uri,
        /// Terms of service.
        op_tos_uri,
    }
    lists {
        /// RFC 6749 §3.3.
        scopes_supported,
        /// RFC 6749 §3.1.1.
        response_types_supported,
        /// How the answer of the authorization endpoint travels.
        response_modes_supported,
        /// Every grant in use: some clients refuse a flow that is not listed.
        grant_types_supported,
        /// OpenID Connect Core §2 (`acr`).
        acr_values_supported,
        /// OpenID Connect Core §8.
        subject_types_supported,
        /// Client authentication at the token endpoint.
        token_endpoint_auth_methods_supported,
        /// Algorithms of client assertions at the token endpoint.
        token_endpoint_auth_signing_alg_values_supported,
        /// Client authentication at the introspection endpoint.
        introspection_endpoint_auth_methods_supported,
        /// Algorithms of client assertions at the introspection endpoint.
        introspection_endpoint_auth_signing_alg_values_supported,
        /// Client authentication at the revocation endpoint.
        revocation_endpoint_auth_methods_supported,
        /// Algorithms of client assertions at the revocation endpoint.
        revocation_endpoint_auth_signing_alg_values_supported,
        /// RFC 7636 §4.3.
        code_challenge_methods_supported,
        /// Signatures of ID tokens.
        id_token_signing_alg_values_supported,
        /// Key management of encrypted ID tokens.
        id_token_encryption_alg_values_supported,
        /// Content encryption of ID tokens.
        id_token_encryption_enc_values_supported,
        /// Signatures of userinfo answers.
        userinfo_signing_alg_values_supported,
        /// Key management of encrypted userinfo answers.
        userinfo_encryption_alg_values_supported,
        /// Content encryption of userinfo answers.
        userinfo_encryption_enc_values_supported,
        /// Signatures of request objects (RFC 9101).
        request_object_signing_alg_values_supported,
        /// Key management of encrypted request objects.
        request_object_encryption_alg_values_supported,
        /// Content encryption of request objects.
        request_object_encryption_enc_values_supported,
        /// RFC 9449 §5.1.
        dpop_signing_alg_values_supported,
        /// OpenID Connect Core §3.1.2.1 (`display`).
        display_values_supported,
        /// OpenID Connect Core §5.6.
        claim_types_supported,
        /// Claims that may be given.
        claims_supported,
        /// Languages of claims.
        claims_locales_supported,
        /// Languages of the pages.
        ui_locales_supported,
        /// `prompt` values.
        prompt_values_supported,
        /// RFC 9396 §10.
        authorization_details_types_supported,
    }
    flags {
        /// Tokens may be bound to the client certificate (RFC 8705 §3.3).
        tls_client_certificate_bound_access_tokens,
        /// RFC 9207 §3.
        authorization_response_iss_parameter_supported,
        /// RFC 9126 §5.
        require_pushed_authorization_requests,
        /// RFC 9101 §10.5.
        require_signed_request_object,
        /// OpenID Connect Core §5.5.
        claims_parameter_supported,
        /// OpenID Connect Core §6.1.
        request_parameter_supported,
        /// OpenID Connect Core §6.2; absent means true to an OpenID client.
        request_uri_parameter_supported,
        /// Whether `request_uri` must be registered.
        require_request_uri_registration,
        /// OpenID Connect Back-Channel Logout §2.1.
        backchannel_logout_supported,
        /// The same, with a session id in the logout token.
        backchannel_logout_session_supported,
        /// OpenID Connect Front-Channel Logout §3.
        frontchannel_logout_supported,
        /// The same, with issuer and session id.
        frontchannel_logout_session_supported,
    }
    others {
        /// The same endpoints where a client certificate is asked for (RFC 8705 §5).
        mtls_endpoint_aliases: EndpointAliases,
        /// The members above in a JWT signed by the issuer (RFC 8414 §2.1).
        signed_metadata: String,
    }
}

metadata! {
    /// Endpoints for clients that use mutual TLS (RFC 8705 §5). Only what the document itself has.
    EndpointAliases ()
    urls {
        /// RFC 6749 §3.2.
        token_endpoint,
        /// RFC 7662 §2.
        introspection_endpoint,
        /// RFC 7009 §2.
        revocation_endpoint,
        /// RFC 8628 §4.
        device_authorization_endpoint,
        /// RFC 9126 §5.
        pushed_authorization_request_endpoint,
        /// OpenID Connect Core §5.3.
        userinfo_endpoint,
        /// RFC 7591 §3.
        registration_endpoint,
    }
    lists {}
    flags {}
    others {}
}

impl Default for EndpointAliases {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{EndpointAliases, ServerMetadata};
    use crate::Issuer;

    #[test]
    fn absent_members_are_left_out() {
        let issuer = Issuer::parse("https://id.example/a").unwrap();
        let mut metadata = ServerMetadata::new(issuer);
        assert_eq!(
            serde_json::to_value(&metadata).unwrap(),
            json!({"issuer": "https://id.example/a"})
        );
        metadata.tls_client_certificate_bound_access_tokens = Some(true);
        metadata.grant_types_supported = vec!["client_credentials".into()];
        metadata.mtls_endpoint_aliases = Some(EndpointAliases::new());
        let value = serde_json::to_value(&metadata).unwrap();
        assert_eq!(
            value,
            json!({
                "issuer": "https://id.example/a",
                "grant_types_supported": ["client_credentials"],
                "tls_client_certificate_bound_access_tokens": true,
                "mtls_endpoint_aliases": {},
            })
        );
        assert_eq!(serde_json::from_value::<ServerMetadata>(value).unwrap(), metadata);
    }

    #[test]
    fn unknown_members_are_ignored_and_wrong_types_refused() {
        let read = |value| serde_json::from_value::<ServerMetadata>(value);
        assert!(read(json!({"issuer": "https://id.example", "x": 1})).is_ok());
        for wrong in [
            json!({}),
            json!({"issuer": "http://id.example"}),
            json!({"issuer": "https://id.example", "token_endpoint": 1}),
            json!({"issuer": "https://id.example", "scopes_supported": "openid"}),
            json!({"issuer": "https://id.example", "tls_client_certificate_bound_access_tokens": "true"}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
