//! An OpenStack service in Rust: whatever it does, `sealstone-resource` stands before it.

use async_trait::async_trait;
use sealstone_interop::{Https, ServeServer};
use sealstone_resource::{
    ClientCertificate, Fetched, Issuer, JwksSource, ResourceConfig, ResourceLayer, SourceError,
};
use sealstone_testkit::TestCertificate;

/// The issuer's documents from where the test's server listens.
#[derive(Debug)]
struct Documents {
    https: Https,
    base: String,
}

#[async_trait]
impl JwksSource for Documents {
    async fn fetch(&self, url: &str, _limit: usize) -> Result<Fetched, SourceError> {
        let path = url.trim_start_matches("https://localhost");
        let answer = self.https.get(&format!("{}{path}", self.base), &[]).unwrap();
        assert_eq!(answer.status, 200, "{url}");
        Ok(Fetched::new(answer.body))
    }
}

pub(crate) struct Compute(ResourceLayer);

impl Compute {
    /// A service of this type of the catalog.
    pub(crate) fn beside(server: &ServeServer, service_type: &str) -> Self {
        let issuer = Issuer::parse("https://localhost/v4/oauth2/demo").unwrap();
        let config = ResourceConfig::new(issuer, ["openstack-apis:demo"]).enforce_access_rules(service_type);
        let [public, _] = server.ports();
        let documents = Documents {
            https: server.https(),
            base: format!("https://localhost:{public}"),
        };
        Self(ResourceLayer::new(config, documents).unwrap())
    }

    /// The status of the answer to a request with this token, over a connection with this certificate.
    pub(crate) fn answers(
        &self,
        token: &str,
        certificate: Option<&TestCertificate>,
        method: &str,
        path: &str,
    ) -> u16 {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap();
        if let Some(certificate) = certificate {
            let certificate = ClientCertificate::from_der(certificate.der()).unwrap();
            request.extensions_mut().insert(certificate);
        }
        let (head, ()) = request.into_parts();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        match runtime.block_on(self.0.authorize(&head)) {
            Ok(_confirmed) => 200,
            Err(challenge) => challenge.status().as_u16(),
        }
    }
}
