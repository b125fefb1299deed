//! Signing keys that are made in the token and stay there.

use std::sync::{Arc, PoisonError};

use aws_lc_rs::{digest, rand};
use cryptoki::{
    mechanism::{
        Mechanism, MechanismType,
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    object::{Attribute, AttributeType, ObjectClass},
    types::Ulong,
};
use sealstone_jose::{Algorithm, HeldKey, JoseError, Jwk, Verifier, base64url};
use sealstone_keyring::{HomeFigures, HomeKey, KeyHome, KeyHomeError, KeyReference};
use serde_json::json;

use crate::{Pkcs11Error, Token, sessions::Open, token::Inner};

/// What tells references of this home from others.
const SCHEME: &str = "pkcs11:";
/// Octets of a key's `CKA_ID`: nobody finds another's by chance.
const ID: usize = 16;
/// The bits of a new RSA key, as of those that are made elsewhere.
const RSA_BITS: u64 = 2048;
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
/// What a key signs before it is used, so that its public half is known to fit.
const PROOF: &[u8] = b"sealstone: is this the key that the ring knows?";

/// `OBJECT IDENTIFIER`s of the curves (RFC 5480 §2.1.1.1).
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

impl KeyHome for Token {
    fn generate(&self, algorithm: Algorithm) -> Result<HomeKey, KeyHomeError> {
        let made = self.0.generate(algorithm);
        let (id, public) = self.0.note(made).map_err(KeyHomeError::new)?;
        let key = self.0.opened(self, &id, algorithm, &public);
        let key = self.0.note(key).map_err(KeyHomeError::new)?;
        let reference = KeyReference::parse(&name(&id));
        Ok(HomeKey {
            reference: reference.ok_or_else(|| KeyHomeError::new("a key has no name"))?,
            public,
            key,
        })
    }

    fn find(
        &self,
        reference: &KeyReference,
        algorithm: Algorithm,
        public: &Jwk,
    ) -> Result<Arc<dyn HeldKey>, KeyHomeError> {
        // The thumbprint too: a ring that was changed does not get the key of another name's public half.
        let known_as = format!("{} {}", reference.as_str(), public.thumbprint());
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(&known_as) {
            return Ok(Arc::clone(key));
        }
        drop(known);
        let found = self
            .0
            .identifier(reference)
            .and_then(|id| self.0.opened(self, &id, algorithm, public));
        self.0.note(found).map_err(KeyHomeError::new)
    }

    fn figures(&self) -> Option<HomeFigures> {
        Some(self.0.figures.read(self.last_fault().is_none()))
    }

    fn destroy(&self, reference: &KeyReference) -> Result<(), KeyHomeError> {
        let destroyed = self.0.identifier(reference).and_then(|id| {
            self.0.sessions.with("destroy a key", |open| {
                for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
                    let template = [
                        Attribute::Class(class),
                        Attribute::Token(true),
                        Attribute::Id(id.clone()),
                    ];
                    for object in open.session.find_objects(&template)? {
                        open.session.destroy_object(object)?;
                    }
                }
                Ok(())
            })
        });
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, _| !name.starts_with(&format!("{} ", reference.as_str())));
        drop(known);
        self.0.note(destroyed).map_err(KeyHomeError::new)
    }
}

impl Inner {
    pub(crate) fn identifier(&self, reference: &KeyReference) -> Result<Vec<u8>, Pkcs11Error> {
        let id = reference.as_str().strip_prefix(SCHEME);
        let id = id.and_then(|id| base64url::decode(id).ok());
        id.filter(|id| id.len() == ID)
            .ok_or_else(|| self.no_key(reference.as_str()))
    }

    fn no_key(&self, key: &str) -> Pkcs11Error {
        Pkcs11Error::NoKey {
            label: self.sessions.label().to_owned(),
            key: key.to_owned(),
        }
    }

    fn broken(&self, what: &'static str, code: &str) -> Pkcs11Error {
        Pkcs11Error::Refused {
            label: self.sessions.label().to_owned(),
            what,
            code: code.to_owned(),
        }
    }

    fn generate(&self, algorithm: Algorithm) -> Result<(Vec<u8>, Jwk), Pkcs11Error> {
        let mut id = [0; ID];
        rand::fill(&mut id).map_err(|_unspecified| self.broken("make a key", "no randomness"))?;
        let label = format!("sealstone {} {}", algorithm.as_str(), base64url::encode(id));
        let shape = Shape::of(algorithm)?;
        let both = [
            Attribute::Token(true),
            Attribute::Id(id.to_vec()),
            Attribute::Label(label.into_bytes()),
        ];
        let public: Vec<Attribute> = both
            .iter()
            .cloned()
            .chain([Attribute::Verify(true)])
            .chain(shape.parameters())
            .collect();
        let private: Vec<Attribute> = both
            .into_iter()
            .chain([
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
            ])
            .collect();
        let what = "make a key";
        let members = self.sessions.with(what, |open| {
            let mechanism = shape.generation();
            let (object, _private) = open.session.generate_key_pair(&mechanism, &public, &private)?;
            open.session.get_attributes(object, shape.members())
        })?;
        let public = shape
            .public(&members)
            .ok_or_else(|| self.broken(what, "its public half cannot be read"))?;
        let public = Jwk::from_value(&public).and_then(|jwk| jwk.with_algorithm(algorithm));
        let public = public.map_err(|error| self.broken(what, error.code()))?;
        Ok((id.to_vec(), public))
    }

    /// The key, after it has shown that it is the one.
    pub(crate) fn opened(
        &self,
        token: &Token,
        id: &[u8],
        algorithm: Algorithm,
        public: &Jwk,
    ) -> Result<Arc<dyn HeldKey>, Pkcs11Error> {
        Shape::of(algorithm)?;
        let key = InToken {
            token: token.clone(),
            id: id.to_vec(),
            algorithm,
        };
        let signature = key.signature(PROOF)?;
        let verified =
            Verifier::new(public, algorithm).and_then(|verifier| verifier.verify(PROOF, &signature));
        if verified.is_err() {
            return Err(Pkcs11Error::AnotherKey {
                label: self.sessions.label().to_owned(),
                key: name(id),
            });
        }
        let key: Arc<dyn HeldKey> = Arc::new(key);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(format!("{} {}", name(id), public.thumbprint()), Arc::clone(&key));
        Ok(key)
    }
}

fn name(id: &[u8]) -> String {
    format!("{SCHEME}{}", base64url::encode(id))
}

/// A key of the token.
struct InToken {
    token: Token,
    id: Vec<u8>,
    algorithm: Algorithm,
}

impl InToken {
    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        let (mechanism, digest) = match self.algorithm {
            Algorithm::Es256 => (Mechanism::Ecdsa, Some(digest::digest(&digest::SHA256, message))),
            Algorithm::Es384 => (Mechanism::Ecdsa, Some(digest::digest(&digest::SHA384, message))),
            Algorithm::Rs256 => (Mechanism::Sha256RsaPkcs, None),
            Algorithm::Ps256 => (Mechanism::Sha256RsaPkcsPss(PSS), None),
            Algorithm::EdDsa => return Err(Pkcs11Error::Algorithm(self.algorithm)),
        };
        let message = digest.as_ref().map_or(message, AsRef::as_ref);
        let inner = &self.token.0;
        let signed = inner
            .sessions
            .with("sign", |open| self.by(open, &mechanism, message))?;
        signed.ok_or_else(|| inner.no_key(&name(&self.id)))
    }

    fn by(
        &self,
        open: &mut Open,
        mechanism: &Mechanism<'_>,
        message: &[u8],
    ) -> Result<Option<Vec<u8>>, cryptoki::error::Error> {
        let Some(key) = open.key(ObjectClass::PRIVATE_KEY, &self.id)? else {
            return Ok(None);
        };
        open.session.sign(mechanism, key, message).map(Some)
    }
}

impl HeldKey for InToken {
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        let span = tracing::debug_span!("sign", key.home = "pkcs11", "error.type" = tracing::field::Empty);
        let signature = span.in_scope(|| self.token.0.figures.counted(|| self.signature(message)));
        if signature.is_err() {
            span.record("error.type", "pkcs11");
        }
        let signature = self
            .token
            .0
            .note(signature)
            .map_err(|_told| JoseError::HeldElsewhere)?;
        out.extend_from_slice(&signature);
        Ok(())
    }
}

/// RFC 7518 §3.5: MGF1 with the same hash, and a salt as long as it.
const PSS: PkcsPssParams = PkcsPssParams {
    hash_alg: MechanismType::SHA256,
    mgf: PkcsMgfType::MGF1_SHA256,
    s_len: Ulong::new(32),
};

/// How keys of an algorithm are made, and read.
#[derive(Clone, Copy)]
enum Shape {
    Curve {
        parameters: &'static [u8],
        name: &'static str,
        coordinate: usize,
    },
    Rsa,
}

impl Shape {
    const fn of(algorithm: Algorithm) -> Result<Self, Pkcs11Error> {
        match algorithm {
            Algorithm::Es256 => Ok(Self::Curve {
                parameters: &P256,
                name: "P-256",
                coordinate: 32,
            }),
            Algorithm::Es384 => Ok(Self::Curve {
                parameters: &P384,
                name: "P-384",
                coordinate: 48,
            }),
            Algorithm::Rs256 | Algorithm::Ps256 => Ok(Self::Rsa),
            Algorithm::EdDsa => Err(Pkcs11Error::Algorithm(algorithm)),
        }
    }

    const fn generation(self) -> Mechanism<'static> {
        match self {
            Self::Curve { .. } => Mechanism::EccKeyPairGen,
            Self::Rsa => Mechanism::RsaPkcsKeyPairGen,
        }
    }

    fn parameters(self) -> Vec<Attribute> {
        match self {
            Self::Curve { parameters, .. } => vec![Attribute::EcParams(parameters.to_vec())],
            Self::Rsa => vec![
                Attribute::ModulusBits(Ulong::new(RSA_BITS)),
                Attribute::PublicExponent(RSA_EXPONENT.to_vec()),
            ],
        }
    }

    const fn members(self) -> &'static [AttributeType] {
        match self {
            Self::Curve { .. } => &[AttributeType::EcPoint],
            Self::Rsa => &[AttributeType::Modulus, AttributeType::PublicExponent],
        }
    }

    /// The members of the public half as a JWK (RFC 7518 §6).
    fn public(self, members: &[Attribute]) -> Option<serde_json::Value> {
        match self {
            Self::Curve { name, coordinate, .. } => {
                let point = members.iter().find_map(|member| {
                    if let Attribute::EcPoint(point) = member {
                        Some(point.as_slice())
                    } else {
                        None
                    }
                })?;
                // An OCTET STRING around an uncompressed point; the point alone by some modules. It is the end in both.
                let length = coordinate.checked_mul(2)?;
                let (front, numbers) = point.split_at_checked(point.len().checked_sub(length)?)?;
                if front.last() != Some(&4) {
                    return None;
                }
                let (x, y) = numbers.split_at_checked(coordinate)?;
                Some(json!({
                    "kty": "EC", "crv": name, "x": base64url::encode(x), "y": base64url::encode(y),
                }))
            }
            Self::Rsa => {
                let number = |wanted: fn(&Attribute) -> Option<&[u8]>| {
                    let octets = members.iter().find_map(wanted)?;
                    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
                    octets.get(zeros..).map(base64url::encode)
                };
                let n = number(|member| {
                    if let Attribute::Modulus(n) = member {
                        Some(n)
                    } else {
                        None
                    }
                })?;
                let e = number(|member| {
                    if let Attribute::PublicExponent(e) = member {
                        Some(e)
                    } else {
                        None
                    }
                })?;
                Some(json!({ "kty": "RSA", "n": n, "e": e }))
            }
        }
    }
}
