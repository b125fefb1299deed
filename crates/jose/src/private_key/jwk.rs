//! From a private JWK to PKCS#8, and back.

use der::asn1::UintRef;
use der::{Decode, Encode};
use p256::pkcs8::{DecodePrivateKey as _, PrivateKeyInfoRef};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{RsaPrivateKey, WRONG, ed25519_key, p256_key, p384_key, rsa_from_pkcs1};
use crate::jwk::material::PublicKey;
use crate::jwk::public_members;
use crate::{Algorithm, JoseError, Jwk, base64url, json};

/// A private member, overwritten when dropped.
struct SecretText(Zeroizing<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[derive(Deserialize)]
struct PrivateJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    alg: Option<String>,
    d: Option<SecretText>,
    p: Option<SecretText>,
    q: Option<SecretText>,
    dp: Option<SecretText>,
    dq: Option<SecretText>,
    qi: Option<SecretText>,
    oth: Option<IgnoredAny>,
}

impl PrivateJwk {
    fn public(&self) -> Result<PublicKey, JoseError> {
        let given = [
            ("crv", &self.crv),
            ("x", &self.x),
            ("y", &self.y),
            ("n", &self.n),
            ("e", &self.e),
        ];
        let members: Map<String, Value> = given
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value.clone()?))))
            .collect();
        public_members(&members, &self.kty)
    }

    fn algorithm(&self, public: &PublicKey) -> Result<Algorithm, JoseError> {
        let algorithm = match (&self.alg, public) {
            (Some(name), _) => Algorithm::parse(name)?,
            (None, PublicKey::P256(_)) => Algorithm::Es256,
            (None, PublicKey::P384(_)) => Algorithm::Es384,
            (None, PublicKey::Ed25519(_)) => Algorithm::EdDsa,
            (None, PublicKey::Rsa { .. }) => return Err(WRONG),
        };
        if public.fits(algorithm) {
            Ok(algorithm)
        } else {
            Err(WRONG)
        }
    }
}

pub(super) fn parse(text: &[u8]) -> Result<(Algorithm, Zeroizing<Vec<u8>>, PublicKey), JoseError> {
    json::object(text)?;
    let jwk: PrivateJwk = serde_json::from_slice(text).map_err(|_error| WRONG)?;
    if jwk.kty == "oct" {
        return Err(JoseError::SymmetricKey);
    }
    let public = jwk.public()?;
    let algorithm = jwk.algorithm(&public)?;
    let d = octets(jwk.d.as_ref())?;
    let (pkcs8, derived) = match public {
        PublicKey::P256(_) => {
            p256_key(&p256::SecretKey::from_slice(&exact::<32>(&d)?[..]).map_err(|_error| WRONG)?)?
        }
        PublicKey::P384(_) => {
            p384_key(&p384::SecretKey::from_slice(&exact::<48>(&d)?[..]).map_err(|_error| WRONG)?)?
        }
        PublicKey::Ed25519(_) => ed25519_key(&ed25519_dalek::SigningKey::from_bytes(&*exact::<32>(&d)?))?,
        PublicKey::Rsa { ref n, ref e } if jwk.oth.is_none() => {
            let [p, q] = [octets(jwk.p.as_ref())?, octets(jwk.q.as_ref())?];
            let [dp, dq, qi] = [
                octets(jwk.dp.as_ref())?,
                octets(jwk.dq.as_ref())?,
                octets(jwk.qi.as_ref())?,
            ];
            rsa_from_pkcs1(&rsa([n, e, &d, &p, &q, &dp, &dq, &qi])?)?
        }
        PublicKey::Rsa { .. } => return Err(WRONG),
    };
    // What the private part makes is what the public part says.
    if derived == public {
        Ok((algorithm, pkcs8, public))
    } else {
        Err(WRONG)
    }
}

/// Members are written one by one: a [`Value`] would leave the private ones in memory.
pub(super) fn write(
    algorithm: Algorithm,
    pkcs8: &[u8],
    public: &Jwk,
) -> Result<Zeroizing<String>, JoseError> {
    let mut private: Vec<(&str, Zeroizing<Vec<u8>>)> = Vec::new();
    match algorithm {
        Algorithm::Es256 => {
            let key = p256::SecretKey::from_pkcs8_der(pkcs8).map_err(|_error| WRONG)?;
            private.push(("d", Zeroizing::new(key.to_bytes().to_vec())));
        }
        Algorithm::Es384 => {
            let key = p384::SecretKey::from_pkcs8_der(pkcs8).map_err(|_error| WRONG)?;
            private.push(("d", Zeroizing::new(key.to_bytes().to_vec())));
        }
        Algorithm::EdDsa => {
            let key = ed25519_dalek::SigningKey::from_pkcs8_der(pkcs8).map_err(|_error| WRONG)?;
            private.push(("d", Zeroizing::new(key.to_bytes().to_vec())));
        }
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let info = PrivateKeyInfoRef::from_der(pkcs8).map_err(|_error| WRONG)?;
            let key = RsaPrivateKey::from_der(info.private_key.as_bytes()).map_err(|_error| WRONG)?;
            for (name, number) in [
                ("d", &key.private_exponent),
                ("p", &key.prime1),
                ("q", &key.prime2),
                ("dp", &key.exponent1),
                ("dq", &key.exponent2),
                ("qi", &key.coefficient),
            ] {
                private.push((name, Zeroizing::new(number.as_bytes().to_vec())));
            }
        }
    }
    let public = public.to_json();
    let open = public.strip_suffix('}').ok_or(WRONG)?;
    // Room for all of it: a text that grew would leave its beginning behind.
    let room = private.iter().map(|(_, octets)| octets.len().saturating_mul(2));
    let room = room.fold(public.len().saturating_add(64), usize::saturating_add);
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.push_str(open);
    for (name, octets) in private {
        let member = Zeroizing::new(base64url::encode(&octets));
        for part in [",\"", name, "\":\"", member.as_str(), "\""] {
            text.push_str(part);
        }
    }
    text.push('}');
    Ok(text)
}

fn octets(member: Option<&SecretText>) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    let text = member.ok_or(WRONG)?;
    base64url::decode(text.0.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_error| WRONG)
}

fn exact<const N: usize>(octets: &[u8]) -> Result<Zeroizing<[u8; N]>, JoseError> {
    octets.try_into().map(Zeroizing::new).map_err(|_error| WRONG)
}

fn rsa(numbers: [&[u8]; 8]) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    let encode = || {
        let [n, e, d, p, q, dp, dq, qi] = numbers;
        RsaPrivateKey {
            version: 0,
            modulus: UintRef::new(n)?,
            public_exponent: UintRef::new(e)?,
            private_exponent: UintRef::new(d)?,
            prime1: UintRef::new(p)?,
            prime2: UintRef::new(q)?,
            exponent1: UintRef::new(dp)?,
            exponent2: UintRef::new(dq)?,
            coefficient: UintRef::new(qi)?,
        }
        .to_der()
    };
    encode().map(Zeroizing::new).map_err(|_error: der::Error| WRONG)
}
