use sealstone_grants::consent::Consent;
use sealstone_oauth_types::ScopeSet;

use crate::fixtures::{Store, at, client_id, count, domain_id, race, user_id};

fn consent(domain: &str, user: &str, client: &str, scope: &str) -> Consent {
    Consent {
        domain: domain_id(domain),
        user_id: user_id(user),
        client_id: client_id(client),
        client_created_at: at(100),
        scope: ScopeSet::parse(scope).unwrap(),
        project: None,
        granted_at: at(1_000),
    }
}

pub(crate) async fn consents_are_of_one_person_client_and_domain<S: Store>(store: S) {
    let (demo, ada, web) = (domain_id("demo"), user_id("ada"), client_id("web"));
    assert_eq!(store.consent(&demo, &ada, &web).await.unwrap(), None);
    assert!(!store.remove_consent(&demo, &ada, &web).await.unwrap());
    for kept in [
        consent("demo", "ada", "web", "openid"),
        consent("other", "ada", "web", "openid email"),
        consent("demo", "bob", "web", "openid profile"),
        consent("demo", "ada", "cli", "openid groups"),
        consent("demo", "ada", "web", "openid phone"),
    ] {
        store.put_consent(&kept).await.unwrap();
    }
    let scope = async |domain: &str, user: &str, client: &str| {
        let found = store
            .consent(&domain_id(domain), &user_id(user), &client_id(client))
            .await
            .unwrap();
        found.map(|consent| consent.scope.to_string())
    };
    for (domain, user, client, want) in [
        ("demo", "ada", "web", Some("openid phone")),
        ("other", "ada", "web", Some("openid email")),
        ("demo", "bob", "web", Some("openid profile")),
        ("demo", "ada", "cli", Some("openid groups")),
        ("other", "bob", "web", None),
        ("demo", "bob", "cli", None),
        ("demo", "Ada", "web", None),
    ] {
        assert_eq!(
            scope(domain, user, client).await.as_deref(),
            want,
            "{domain} {user} {client}"
        );
    }
    let clients = async |limit| -> Vec<String> {
        let consents = store.consents_of(&demo, &ada, limit).await.unwrap();
        consents
            .iter()
            .map(|consent| consent.client_id.as_str().to_owned())
            .collect()
    };
    assert_eq!(clients(10).await, ["cli", "web"]);
    assert_eq!(clients(1).await, ["cli"]);
    assert_eq!(clients(0).await, Vec::<String>::new());

    let removed = race(|_| {
        let (store, demo, ada, web) = (store.clone(), demo.clone(), ada.clone(), web.clone());
        async move { store.remove_consent(&demo, &ada, &web).await.unwrap() }
    });
    assert_eq!(count(&removed.await, |was_there| *was_there), 1);
    assert_eq!(store.consent(&demo, &ada, &web).await.unwrap(), None);
    assert_eq!(clients(10).await, ["cli"]);
    assert!(scope("other", "ada", "web").await.is_some());
}
