//! A first start with many domains, each of which gets an RSA key beside its ES256 key.

use crate::harness::{Ask, World, eventually, now};
use sealstone_identity::DomainId;
use sealstone_jose::Algorithm;
use sealstone_keyring::{
    KeyEncryptionKey, KeyRing, KeyStore as _, Replaced, RotationPolicy, RotationSettings,
};
use sealstone_registry::{Domain, DomainStore as _, Insertion};

/// More than any machine of today makes RSA keys for while a revocation takes effect.
const DOMAINS: usize = 200;

fn name(number: usize) -> String {
    format!("d{number:03}")
}

async fn add_domains(world: &World) {
    for number in 0..DOMAINS {
        let id = DomainId::parse(&name(number)).unwrap();
        let inserted = world
            .store
            .insert_domain(Domain::new(id, "Many", true).unwrap())
            .await;
        assert_eq!(inserted.unwrap(), Insertion::Inserted);
    }
}

async fn keys(world: &World, domain: &str) -> (u16, String, bool) {
    let ask = Ask::get(&format!("/v4/oauth2/{domain}/jwks"));
    let answer = world.https().send(world.public, ask).await;
    let tells_when = answer.header("retry-after").is_some();
    (answer.status.as_u16(), answer.text, tells_when)
}

/// As `sealstone key revoke` does it on the database.
async fn revoke_key(world: &World, domain: &str) -> String {
    let settings = RotationSettings {
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
        ..RotationSettings::default()
    };
    let policy = RotationPolicy::new(settings).unwrap();
    let kek = std::fs::read_to_string(world.setup.path("kek")).unwrap();
    let kek = KeyEncryptionKey::parse(&kek).unwrap();
    let stored = world.store.load(domain).await.unwrap().unwrap();
    let mut ring = KeyRing::open(domain, &stored, &kek).unwrap();
    let kid = ring.active(Algorithm::Es256).unwrap().kid().clone();
    let _fresh = ring.revoke(&kid, &policy, now()).unwrap();
    let sealed = ring.seal(domain, &kek).unwrap();
    let replaced = world.store.replace(domain, ring.generation(), &sealed).await;
    assert_eq!(replaced.unwrap(), Replaced::Done);
    kid.as_str().to_owned()
}

/// Who comes first is served while keys are made for the others, who are told to come again, and a stolen key is out of
/// the key set meanwhile.
#[tokio::test]
async fn the_first_domains_are_served_and_keys_revoked_while_the_others_keys_are_made() {
    let mut world = World::start().await;
    world.process.stop().await;
    add_domains(&world).await;
    world.start_again().await;

    // Ready: those that had keys, and the first that had none.
    assert_eq!(keys(&world, "demo").await.0, 200);
    assert_eq!(keys(&world, &name(0)).await.0, 200);
    let last = name(DOMAINS - 1);
    let (status, text, tells_when) = keys(&world, &last).await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("keys are being made") && tells_when, "{text}");
    assert_eq!(keys(&world, "nobody").await.0, 404);

    let stolen = revoke_key(&world, "demo").await;
    eventually("the stolen key is gone", || async {
        let (status, text, _) = keys(&world, "demo").await;
        status == 200 && !text.contains(&stolen)
    })
    .await;
    assert_eq!(keys(&world, &last).await.0, 503, "others' keys are still made");
    // One after the other, each by itself.
    eventually("the next is served", || async {
        keys(&world, &name(12)).await.0 == 200
    })
    .await;

    // What is under way ends, and what is left is for the next start.
    world.process.stop().await;
    let made = world.store.domains().await.unwrap().len();
    assert!(made > 12 && made < DOMAINS, "{made}");
    world.store.close().await;
    world.nothing_leaked();
}
