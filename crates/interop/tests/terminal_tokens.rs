//! `sealstone-client` as a library, against `sealstoned`: tokens of people and machines, bound and not, renewed and revoked.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::{sync::Arc, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_client::{
    CertificatePair, ClientContext, ClientCredentialsRequest, ClientIdentity, DeviceLogin, DeviceStep,
    DiscoveryError, IdTokenFault, LoginError, Provider, RelyingParty, SecretMethod, TokenError, TokenSet,
};
use sealstone_interop::{DevServer, Step};
use sealstone_oauth_types::Secret;

const SCOPE: &str = "openid profile offline_access";

fn context(server: &DevServer, ahead: Duration) -> ClientContext {
    let pem = std::fs::read(server.ca_path()).unwrap();
    let roots = sealstone_interop_roots(&pem);
    let now = move || {
        let now = UnixTime::now().as_secs().checked_add(ahead.as_secs()).unwrap();
        UnixTime::since_unix_epoch(Duration::from_secs(now))
    };
    let entropy = |octets: &mut [u8]| aws_lc_rs::rand::fill(octets).is_ok();
    ClientContext::new(roots, Arc::new(now), Arc::new(entropy))
}

fn sealstone_interop_roots(pem: &[u8]) -> rustls::RootCertStore {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    roots
}

async fn provider(server: &DevServer) -> Provider {
    let context = context(server, Duration::ZERO);
    Provider::discover(&context, server.issuer()).await.unwrap()
}

fn pair() -> CertificatePair {
    CertificatePair::self_signed(UnixTime::now(), Duration::from_secs(86_400))
        .unwrap()
        .pair
}

/// Signs in, confirms the code, and says yes.
fn allowed(server: &DevServer, url: &str) {
    let mut browser = server.browser();
    let mut step = browser.open(url);
    let person = server.user("demo");
    for _page in 0..5 {
        let Step::Page(page) = step else { return };
        let forms = page.forms();
        let has = |name: &str| {
            forms
                .iter()
                .any(|form| form.fields.iter().any(|(known, _)| known == name))
        };
        let can = |value: &str| {
            forms
                .iter()
                .any(|form| form.buttons.iter().any(|(_, known)| known == value))
        };
        step = if has("password") {
            browser.submit(
                &page,
                &[("user_name", &person.name), ("password", &person.password)],
            )
        } else if can("user_code") {
            browser.press(&page, "user_code", &[])
        } else if can("allow") {
            browser.press(&page, "allow", &[])
        } else {
            return;
        };
    }
}

async fn logged_in(server: &DevServer, party: &RelyingParty) -> Result<TokenSet, LoginError> {
    let mut login = DeviceLogin::begin(party, SCOPE, &[]).await.unwrap();
    assert!(matches!(login.look().await.unwrap(), DeviceStep::Wait(_)));
    allowed(server, login.verification_uri_complete().unwrap());
    for _look in 0..10 {
        // The server asks for a pause between looks; without one it says `slow_down`, which is no end.
        tokio::time::sleep(login.interval()).await;
        if let DeviceStep::Done(tokens) = login.look().await? {
            return Ok(*tokens);
        }
    }
    panic!("the person has logged in");
}

fn is_invalid_grant(outcome: Result<TokenSet, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::Refused(refusal)) if refusal.code == "invalid_grant")
}

#[tokio::test]
async fn a_persons_tokens_are_renewed_by_the_holder_of_the_key_alone() {
    let server = DevServer::start();
    let provider = provider(&server).await;
    assert!(
        provider.offers_browser_login() && provider.offers_device_login() && provider.offers_bound_tokens()
    );
    let made = server.administer(&[
        "client",
        "create",
        "bound-cli",
        "--native",
        "--auth-method",
        "none",
        "--bound",
        "true",
        "--grant",
        "authorization_code",
        "--grant",
        "refresh_token",
        "--grant",
        "device_code",
        "--redirect-uri",
        "http://127.0.0.1/callback",
        "--scope",
        SCOPE,
    ]);
    assert_eq!(made["client_id"], "bound-cli");
    let own = pair();
    let party = |identity: ClientIdentity| RelyingParty::new(&provider, identity).unwrap();
    let public = || ClientIdentity::public("bound-cli");
    let holder = party(public().bound_to(own.clone()));
    let first = logged_in(&server, &holder).await.unwrap();
    assert_eq!(first.person().unwrap().name.as_deref(), Some("demo"));
    assert_eq!(first.bound_to(), Some(own.thumbprint().to_string()));
    assert_eq!(first.shown(), Some(own.thumbprint().to_string().as_str()));

    // Whoever stole the record has no key: neither without one, nor with another.
    assert!(matches!(
        party(public()).refresh(&first).await,
        Err(TokenError::Refused(_))
    ));
    assert!(is_invalid_grant(
        party(public().bound_to(pair())).refresh(&first).await
    ));
    let second = holder.refresh(&first).await.unwrap();
    assert_ne!(second.refresh_token(), first.refresh_token());
    assert_eq!(second.person(), first.person());
    let third = holder.refresh(&second).await.unwrap();

    assert!(
        holder
            .end_session_url(&third)
            .unwrap()
            .starts_with(server.issuer())
    );
    holder.revoke(&third).await.unwrap();
    assert!(is_invalid_grant(holder.refresh(&third).await));
}

#[tokio::test]
async fn a_machines_token_is_bound_to_its_certificate() {
    let server = DevServer::start();
    let provider = provider(&server).await;
    let client = server.client("machine").registered().clone();
    let read = |path: Option<std::path::PathBuf>| std::fs::read(path.unwrap()).unwrap();
    let own = CertificatePair::from_pem(&read(client.cert), &read(client.key)).unwrap();
    let party = RelyingParty::new(
        &provider,
        ClientIdentity::with_certificate("machine", own.clone()),
    )
    .unwrap();
    let request = ClientCredentialsRequest::new().with_scope("openstack:api");
    let tokens = party.client_credentials(&request).await.unwrap();
    assert_eq!(tokens.bound_to(), Some(own.thumbprint().to_string()));
    assert_eq!(tokens.scope(), Some("openstack:api"));
    assert!(tokens.lasts(UnixTime::now(), Duration::from_secs(20)));
    party.revoke(&tokens).await.unwrap();

    let other = ClientIdentity::with_certificate("machine", pair());
    let refused = RelyingParty::new(&provider, other)
        .unwrap()
        .client_credentials(&request)
        .await;
    assert!(
        matches!(&refused, Err(TokenError::Refused(refusal)) if refusal.code == "invalid_client"),
        "{refused:?}"
    );
    let secret = server
        .client("machine-secret")
        .registered()
        .client_secret
        .clone()
        .unwrap();
    for (secret, is_right) in [(secret.as_str(), true), ("wrong", false)] {
        let identity =
            ClientIdentity::with_secret("machine-secret", Secret::from(secret), SecretMethod::Offered);
        let party = RelyingParty::new(&provider, identity).unwrap();
        let tokens = party.client_credentials(&ClientCredentialsRequest::new()).await;
        assert_eq!(tokens.is_ok(), is_right, "{tokens:?}");
        assert_eq!(tokens.ok().and_then(|tokens| tokens.bound_to()), None);
    }
}

#[tokio::test]
async fn a_wrong_clock_and_a_wrong_issuer_are_named() {
    let server = DevServer::start();
    let ahead = context(&server, Duration::from_secs(7200));
    let provider = Provider::discover(&ahead, server.issuer()).await.unwrap();
    let party = RelyingParty::new(&provider, ClientIdentity::public("cli")).unwrap();
    let mut login = DeviceLogin::begin(&party, SCOPE, &[]).await.unwrap();
    allowed(&server, login.verification_uri_complete().unwrap());
    let error = login.look().await.unwrap_err();
    assert!(
        matches!(
            &error,
            LoginError::Token(TokenError::IdToken {
                fault: IdTokenFault::Expired,
                skew: Some(_)
            })
        ),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with("this machine's clock is 2 h ahead of the server's: set it"),
        "{error}"
    );

    let context = context(&server, Duration::ZERO);
    let by_name = server.issuer().replace("127.0.0.1", "localhost");
    let error = Provider::discover(&context, &by_name).await.unwrap_err();
    assert!(matches!(error, DiscoveryError::OtherIssuer { .. }), "{error}");
    let error = Provider::discover(&context, &server.issuer().replace("/demo", "/none"))
        .await
        .unwrap_err();
    assert!(matches!(error, DiscoveryError::Unpublished(_)), "{error}");
}
