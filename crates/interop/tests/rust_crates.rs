//! The `oauth2` and `openidconnect` crates.

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AuthType, ClientId, ClientSecret, RequestTokenError, Scope, StandardErrorResponse, TokenResponse,
    TokenUrl,
};
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, JsonWebKeySetUrl};
use sealstone_interop::{DevServer, Https, HttpsError, ProtectedService};
use sealstone_testkit::{CertificateSpec, TestCertificate};

type Outcome =
    Result<BasicTokenResponse, RequestTokenError<HttpsError, StandardErrorResponse<BasicErrorResponseType>>>;

fn by_certificate(server: &DevServer, name: &str, certificate: Option<&TestCertificate>) -> Outcome {
    let https = match certificate {
        Some(certificate) => server.https().with_certificate(certificate),
        None => server.https(),
    };
    let client = server.client(name);
    let oauth = BasicClient::new(ClientId::new(client.registered().client_id.clone()))
        .set_token_uri(TokenUrl::new(server.mtls_url("/token")).unwrap())
        .set_auth_type(AuthType::RequestBody);
    let mut request = oauth.exchange_client_credentials();
    for scope in client
        .registered()
        .scope
        .iter()
        .flat_map(|scope| scope.split(' '))
    {
        request = request.add_scope(Scope::new(scope.to_owned()));
    }
    request.request(&|request| https.transport(&request))
}

fn is_invalid_client(outcome: &Outcome) -> bool {
    match outcome {
        Err(RequestTokenError::ServerResponse(answer)) => {
            *answer.error() == BasicErrorResponseType::InvalidClient
        }
        _ => false,
    }
}

#[test]
fn oauth2_gets_a_bound_token_and_is_refused_without_its_certificate() {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    for name in ["machine", "machine-san", "machine-self-signed"] {
        let own = server.certificate(name);
        let token = by_certificate(&server, name, Some(&own)).unwrap();
        assert!(token.expires_in().is_some() && token.refresh_token().is_none());
        let bearer = format!("Bearer {}", token.access_token().secret());
        let call = |https: Https| {
            https
                .get(service.url(), &[("authorization", &bearer)])
                .unwrap()
                .status
        };
        assert_eq!(call(server.https().with_certificate(&own)), 200, "{name}");
        assert_eq!(
            call(
                server
                    .https()
                    .with_certificate(&CertificateSpec::client("thief").self_signed())
            ),
            401,
            "{name}: replayed"
        );
        assert_eq!(
            call(server.https()),
            401,
            "{name}: replayed without a certificate"
        );
    }
    let attacks = [
        ("no certificate", None),
        ("another client's", Some(server.certificate("machine-san"))),
        ("expired", Some(server.expired("machine"))),
        ("self-signed", Some(server.self_signed("machine"))),
        ("foreign", Some(server.foreign("machine"))),
    ];
    for (name, certificate) in attacks {
        let outcome = by_certificate(&server, "machine", certificate.as_ref());
        assert!(is_invalid_client(&outcome), "{name}: {outcome:?}");
    }
}

#[test]
fn oauth2_gets_a_bearer_token_by_secret() {
    let server = DevServer::start();
    let client = server.client("machine-secret");
    let url = TokenUrl::new(format!("{}/token", server.issuer())).unwrap();
    let ask = |secret: &str| -> Outcome {
        let auth = match client.registered().auth.as_str() {
            "client_secret_post" => AuthType::RequestBody,
            _ => AuthType::BasicAuth,
        };
        let https = server.https();
        BasicClient::new(ClientId::new(client.registered().client_id.clone()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_token_uri(url.clone())
            .set_auth_type(auth)
            .exchange_client_credentials()
            .request(&|request| https.transport(&request))
    };
    ask(client.registered().client_secret.as_ref().unwrap()).unwrap();
    assert!(is_invalid_client(&ask("wrong")));
    assert!(is_invalid_client(&ask("")));
}

#[test]
fn openidconnect_reads_the_key_set_and_verifies_our_signature() {
    let server = DevServer::start();
    let https = server.https();
    let url = JsonWebKeySetUrl::new(format!("{}/jwks", server.issuer())).unwrap();
    let set = CoreJsonWebKeySet::fetch(&url, &|request| https.transport(&request)).unwrap();
    assert!(!set.keys().is_empty());
    let token = by_certificate(&server, "machine", Some(&server.certificate("machine"))).unwrap();
    let jwt = token.access_token().secret();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let decode = |text: &str| base64_url(text);
    let header: serde_json::Value =
        serde_json::from_slice(&decode(signed.split('.').next().unwrap())).unwrap();
    let algorithm: CoreJwsSigningAlgorithm = serde_json::from_value(header["alg"].clone()).unwrap();
    let kid = header["kid"].as_str().unwrap();
    let key = set
        .keys()
        .iter()
        .find(|key| key.key_id().is_some_and(|id| id.as_str() == kid))
        .unwrap();
    key.verify_signature(&algorithm, signed.as_bytes(), &decode(signature))
        .unwrap();
    assert!(
        key.verify_signature(&algorithm, b"something else", &decode(signature))
            .is_err()
    );
}

fn base64_url(text: &str) -> Vec<u8> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
}
