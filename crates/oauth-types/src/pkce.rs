use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Secret, ValueError};

/// The secret that a client made for one authorization request: 43 to 128 unreserved characters (RFC 7636 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeVerifier(Box<Secret>);

/// What the client showed of its verifier beforehand, by `S256`, the only method here (RFC 7636 §4.2).
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{CodeChallenge, CodeVerifier};
///
/// let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")?;
/// assert!(challenge.is_of(&CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")?));
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

impl CodeVerifier {
    /// Parses a verifier.
    ///
    /// # Errors
    /// [`ValueError::CodeVerifier`] for another length or character.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !(43..=128).contains(&text.len()) || !text.bytes().all(unreserved) {
            return Err(ValueError::CodeVerifier);
        }
        Ok(Self(Box::new(Secret::from(text))))
    }

    /// Its challenge.
    #[must_use]
    pub fn challenge(&self) -> CodeChallenge {
        CodeChallenge(Sha256::digest(self.0.expose()).into())
    }
}

impl CodeChallenge {
    /// Parses a challenge: 43 characters of base64url without padding.
    ///
    /// # Errors
    /// [`ValueError::CodeChallenge`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let octets = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map_err(|_| ValueError::CodeChallenge)?;
        octets.try_into().map(Self).map_err(|_| ValueError::CodeChallenge)
    }

    /// Whether the challenge was made from this verifier; in constant time.
    #[must_use]
    pub fn is_of(&self, verifier: &CodeVerifier) -> bool {
        bool::from(self.0.ct_eq(&verifier.challenge().0))
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(self.0))
    }
}

impl fmt::Debug for CodeChallenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CodeChallenge({self})")
    }
}

impl Serialize for CodeChallenge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CodeChallenge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{CodeChallenge, CodeVerifier};

    #[test]
    fn vectors_of_pkce() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../tests/vectors/pkce.json")).unwrap();
        let octets = |value: &serde_json::Value| -> Vec<u8> {
            value
                .as_array()
                .unwrap()
                .iter()
                .map(|octet| u8::try_from(octet.as_u64().unwrap()).unwrap())
                .collect()
        };
        let base64url = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        let cases = vectors["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 2);
        for case in cases {
            let text = |name: &str| case[name].as_str();
            let Some(verifier) = text("code_verifier") else {
                assert_eq!(
                    Some(base64url(&octets(&case["octets"])).as_str()),
                    text("base64url")
                );
                continue;
            };
            assert_eq!(base64url(&octets(&case["verifier_octets"])), verifier);
            let verifier = CodeVerifier::parse(verifier).unwrap();
            let challenge = CodeChallenge::parse(text("code_challenge").unwrap()).unwrap();
            assert_eq!(challenge.is_of(&verifier), text("expect") == Some("match"));
            assert_eq!(verifier.challenge().to_string(), text("code_challenge").unwrap());
        }
    }

    #[test]
    fn another_verifier_and_odd_forms() {
        let right = CodeVerifier::parse(&"a".repeat(43)).unwrap();
        assert!(right.challenge().is_of(&right));
        assert!(
            !right
                .challenge()
                .is_of(&CodeVerifier::parse(&"b".repeat(43)).unwrap())
        );
        assert!(
            !right
                .challenge()
                .is_of(&CodeVerifier::parse(&"a".repeat(44)).unwrap())
        );
        let spaced = format!("{} ", "a".repeat(43));
        for wrong in [
            "",
            &"a".repeat(42),
            &"a".repeat(129),
            &"ä".repeat(43),
            &spaced,
            &"a+".repeat(30),
        ] {
            assert!(CodeVerifier::parse(wrong).is_err(), "{wrong}");
        }
        let good = right.challenge().to_string();
        let (padded, short) = (format!("{good}="), good.get(1..).unwrap());
        for wrong in [
            "",
            &padded,
            short,
            &format!("{good}A"),
            &good.replacen(|_| true, "+", 1),
        ] {
            assert!(CodeChallenge::parse(wrong).is_err(), "{wrong}");
        }
        assert!(!format!("{right:?}").contains("aaaa"));
    }
}
