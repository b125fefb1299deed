use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! wire_names {
    ($type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// The value of a name, compared exactly; `None` for any other text.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&name).ok_or_else(|| de::Error::custom(concat!("unknown ", stringify!($type))))
            }
        }
    };
}

pub(crate) use wire_names;

/// What the token endpoint is asked to exchange (`grant_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the token endpoint handles every grant type it knows"
)]
pub enum GrantType {
    /// A code from the authorization endpoint (RFC 6749 §4.1.3).
    AuthorizationCode,
    /// The client's own right (RFC 6749 §4.4).
    ClientCredentials,
    /// A refresh token (RFC 6749 §6).
    RefreshToken,
    /// A device code (RFC 8628 §3.4).
    DeviceCode,
    /// Another token (RFC 8693 §2.1).
    TokenExchange,
}

wire_names!(GrantType {
    AuthorizationCode => "authorization_code",
    ClientCredentials => "client_credentials",
    RefreshToken => "refresh_token",
    DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
    TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
});

/// How a client authenticates at the token endpoint (RFC 7591 §2, RFC 8705 §2.1.1 and §2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "client authentication handles every method it knows"
)]
pub enum TokenEndpointAuthMethod {
    /// Id and secret in `Authorization: Basic` (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Id and secret in the body (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// A certificate of a trusted authority, by subject (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate registered by its key (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
    /// A JWT signed with a registered key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A JWT under the client's secret (RFC 7523 §2.2, OpenID Connect Core §9).
    ClientSecretJwt,
    /// None: a public client.
    None,
}

wire_names!(TokenEndpointAuthMethod {
    ClientSecretBasic => "client_secret_basic",
    ClientSecretPost => "client_secret_post",
    TlsClientAuth => "tls_client_auth",
    SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
    PrivateKeyJwt => "private_key_jwt",
    ClientSecretJwt => "client_secret_jwt",
    None => "none",
});

/// What the caller believes a token to be (RFC 7009 §2.1). It is a hint: a wrong one changes no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the lookup handles every kind of token")]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

wire_names!(TokenTypeHint {
    AccessToken => "access_token",
    RefreshToken => "refresh_token",
});

/// How an access token is to be presented (RFC 6749 §7.1).
///
/// A certificate-bound token is `Bearer` too (RFC 8705 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TokenType {
    /// `Authorization: Bearer` (RFC 6750).
    #[default]
    Bearer,
}

impl TokenType {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
        }
    }
}

impl Serialize for TokenType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TokenType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        if name.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Bearer);
        }
        Err(de::Error::custom("unknown token type"))
    }
}

#[cfg(test)]
mod tests {
    use super::{GrantType, TokenEndpointAuthMethod};

    #[test]
    fn names_are_exact() {
        for grant in GrantType::ALL {
            assert_eq!(GrantType::parse(grant.as_str()), Some(*grant));
        }
        for method in TokenEndpointAuthMethod::ALL {
            assert_eq!(TokenEndpointAuthMethod::parse(method.as_str()), Some(*method));
        }
        for wrong in [
            "",
            "password",
            "implicit",
            "Client_Credentials",
            "client_credentials ",
            "device_code",
        ] {
            assert_eq!(GrantType::parse(wrong), None, "{wrong:?}");
        }
        for wrong in ["", "banana", "client_secret", "NONE", "tls_client_auth\0"] {
            assert_eq!(TokenEndpointAuthMethod::parse(wrong), None, "{wrong:?}");
            assert!(serde_json::from_value::<TokenEndpointAuthMethod>(wrong.into()).is_err());
        }
    }
}
