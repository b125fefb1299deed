//! The bridge: a token into its other form beside the bare primitives, and a request through it beside a bare proxy.

#[path = "measure.rs"]
mod measure;
#[path = "bridge/proxies.rs"]
mod proxies;

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use base64_simd::{URL_SAFE, URL_SAFE_NO_PAD};
use measure::{Candidate, allocations_of, compare};
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject;
use sealstone_bridge::{TokenForm, Translator};
use sealstone_fernet::{
    AuditId, AuthMethods, FernetKey, FernetKeys, FernetTokens, Iv, JwsAlgorithm, JwsPrivateKey,
    JwsTokenIssuer, JwsTokenReader, KeystoneId, Scope, TokenClaims, TokenSubject,
};

/// Of a translation to the bare primitives.
const TARGET: f64 = 1.25;
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_795_302_749));

/// What one pool holds, and tokens of it.
struct Pool {
    fernet: FernetTokens,
    keys: FernetKeys,
    /// The private keys of five JWS nodes.
    signers: [String; 5],
}

impl Pool {
    fn new() -> Self {
        let keys = FernetKeys::new(vec![FernetKey::parse(KEY).expect("a key")]).expect("keys");
        let domain = KeystoneId::parse("default").expect("a domain");
        let signer = || {
            let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).expect("a key");
            key.to_pem().expect("a key").to_string()
        };
        Self {
            fernet: FernetTokens::new(keys.clone(), AuthMethods::default(), domain),
            keys,
            signers: [signer(), signer(), signer(), signer(), signer()],
        }
    }

    fn issuer(&self, node: usize) -> JwsTokenIssuer {
        JwsTokenIssuer::new(JwsPrivateKey::from_pem(JwsAlgorithm::Es256, &self.signers[node]).expect("a key"))
    }

    /// With the public keys of so many nodes.
    fn translator(&self, nodes: usize) -> Translator {
        let issuer = self.issuer(0);
        let public = (0..nodes)
            .map(|node| self.issuer(node).public_key().clone())
            .collect();
        let reader = JwsTokenReader::new(public, &[JwsAlgorithm::Es256]);
        let window = Duration::from_secs(172_800);
        Translator::new(self.fernet.clone(), reader.expect("a reader"), issuer, window).expect("a translator")
    }

    /// A user in a project; each name is another token.
    fn claims(name: u64) -> TokenClaims {
        let id = |text: &str| KeystoneId::parse(text).expect("an id");
        let project = Scope::Project(id("c01ec4b87d21437eab890b4776ab6212"));
        let mut octets = [9; 16];
        octets[..8].copy_from_slice(&name.to_be_bytes());
        TokenClaims {
            subject: TokenSubject::new(id("451f13c616a94105ba37aae4469c6963"), &["password"], project),
            audit_ids: AuditId::new(octets).into(),
            issued_at: NOW,
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(NOW.as_secs() + 3600)),
        }
    }

    fn fernet(&self, name: u64) -> String {
        self.fernet
            .issue(&Self::claims(name), Iv::generate().expect("octets"))
            .expect("a token")
    }

    fn jws(&self, name: u64, node: usize) -> String {
        self.issuer(node).sign(&Self::claims(name)).expect("a token")
    }
}

fn main() {
    let pool = Pool::new();
    translation(&pool);
    proxies::measure(&pool);
}

fn report(what: &str, ratio: f64) {
    println!("{what}: {ratio:.3} (target: at most {TARGET})");
}

/// The primitives alone, over the octets of the tokens that are translated.
fn translation(pool: &Pool) {
    let (fernet, jws) = (pool.fernet(1), pool.jws(1, 0));
    let translator = pool.translator(1);
    let octets = URL_SAFE_NO_PAD.decode_to_vec(&fernet).expect("base64url");
    let payload = pool.keys.open(&fernet).expect("our token").payload().to_vec();
    let key = URL_SAFE.decode_to_vec(KEY).expect("a key");
    let tag = hmac::Key::new(hmac::HMAC_SHA256, &key[..16]);
    let cipher = || UnboundCipherKey::new(&AES_128, &key[16..]).expect("a key");
    let encrypting = PaddedBlockEncryptingKey::cbc_pkcs7(cipher()).expect("a key");
    let decrypting = PaddedBlockDecryptingKey::cbc_pkcs7(cipher()).expect("a key");
    let iv: [u8; 16] = octets[9..25].try_into().expect("16 octets");
    let signed = octets.len() - 32;
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from_pem_slice(pool.signers[0].as_bytes()).expect("PEM");
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der()).expect("a key");
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).expect("a key");
    let (message, signature) = jws.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode_to_vec(signature).expect("base64url");
    let random = SystemRandom::new();

    let mut room = Vec::with_capacity(octets.len());
    let to_jws_bare = || {
        hmac::verify(&tag, black_box(&octets[..signed]), &octets[signed..]).expect("the tag");
        room.clear();
        room.extend_from_slice(&octets[25..signed]);
        let context = DecryptionContext::Iv128((&iv).into());
        black_box(decrypting.decrypt(&mut room, context).expect("the padding"));
        black_box(
            pair.sign(&random, black_box(message).as_bytes())
                .expect("a signature"),
        );
    };
    let ratios = compare(&mut [
        Candidate::new("floor: HMAC, AES-CBC, ES256 signed", to_jws_bare),
        Candidate::new("Fernet token written as JWS", || {
            black_box(&translator.translate(black_box(&fernet), TokenForm::Jws, NOW));
        }),
    ]);
    report("Fernet to JWS / floor", ratios[1]);
    let allocations = allocations_of(|| {
        black_box(&translator.translate(black_box(&fernet), TokenForm::Jws, NOW));
    });
    println!("Rust allocations: {allocations:.2}");

    let mut room = Vec::with_capacity(octets.len());
    let to_fernet_bare = || {
        public
            .verify_sig(black_box(message).as_bytes(), &signature)
            .expect("the signature");
        room.clear();
        room.extend_from_slice(black_box(&payload));
        let context = EncryptionContext::Iv128((&iv).into());
        encrypting
            .less_safe_encrypt(&mut room, context)
            .expect("encrypted");
        black_box(hmac::sign(&tag, black_box(&octets[..signed])));
    };
    // A processor learns the branches of one signature by heart.
    let others: Vec<String> = (0..512).map(|name| pool.jws(name, 0)).collect();
    let parts: Vec<(&str, Vec<u8>)> = others
        .iter()
        .map(|token| {
            let (message, signature) = token.rsplit_once('.').expect("three parts");
            (
                message,
                URL_SAFE_NO_PAD.decode_to_vec(signature).expect("base64url"),
            )
        })
        .collect();
    let (mut parts, mut next) = (parts.iter().cycle(), others.iter().cycle());
    let ratios = compare(&mut [
        Candidate::new("floor: ES256 verified, AES-CBC, HMAC", to_fernet_bare),
        Candidate::new("JWS token written as Fernet", || {
            black_box(&translator.translate(black_box(&jws), TokenForm::Fernet, NOW));
        }),
        Candidate::new("ES256 verified, another token each time", || {
            let (message, signature) = parts.next().expect("a token");
            public
                .verify_sig(black_box(message).as_bytes(), signature)
                .expect("the signature");
        }),
        Candidate::new("written as Fernet, another each time", || {
            let token = next.next().expect("a token");
            black_box(&translator.translate(black_box(token), TokenForm::Fernet, NOW));
        }),
    ]);
    report("JWS to Fernet / floor", ratios[1]);
}
