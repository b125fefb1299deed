use std::{fmt, sync::Arc, time::Duration};

use openidconnect::{
    ClientId, ClientSecret, IssuerUrl,
    core::{CoreClient, CoreJsonWebKeySet},
};
use rustls_pki_types::UnixTime;
use sealstone_login::{UpstreamError, UpstreamRefusal};
use tokio::sync::Mutex;

use crate::{
    ConfigError, UpstreamConfig,
    back_channel::BackChannel,
    config::ClientAuthentication,
    error::Failure,
    metadata::{FOR_KEYS, FOR_METADATA, Keys, Metadata},
};

/// Addresses change with releases of a provider, not with the hour.
const METADATA_AGE: Duration = Duration::from_secs(3600);
/// How long a key that the provider took back is believed here.
const KEYS_AGE: Duration = Duration::from_secs(300);
/// Tokens that name unknown keys do not make us ask for the keys more often than this.
const KEYS_PAUSE: Duration = Duration::from_secs(10);

/// An upstream OpenID provider: an [`UpstreamLogin`](sealstone_login::UpstreamLogin). Clones share what it said.
#[derive(Clone)]
pub struct UpstreamProvider {
    inner: Arc<Inner>,
}

struct Inner {
    config: UpstreamConfig,
    issuer: IssuerUrl,
    back_channel: BackChannel,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(UnixTime, Arc<Metadata>)>,
    keys: Option<(UnixTime, Arc<Keys>)>,
}

impl UpstreamProvider {
    /// The provider; it is asked when somebody first logs in.
    ///
    /// # Errors
    /// [`ConfigError::PlainHttp`], or [`ConfigError::Tls`] when certificates are missing or do not fit.
    pub fn new(config: UpstreamConfig) -> Result<Self, ConfigError> {
        let issuer = IssuerUrl::new(config.issuer.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                back_channel: BackChannel::new(&config)?,
                issuer: issuer.map_err(|_not_a_url| ConfigError::Url("issuer"))?,
                known: Mutex::default(),
                config,
            }),
        })
    }

    /// Asks for metadata and keys, to see whether the provider is there and is the one that is meant.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn probe(&self) -> Result<(), UpstreamError> {
        let metadata = self.metadata().await?;
        self.keys(&metadata).await?;
        Ok(())
    }

    pub(crate) fn config(&self) -> &UpstreamConfig {
        &self.inner.config
    }

    pub(crate) fn issuer(&self) -> &IssuerUrl {
        &self.inner.issuer
    }

    pub(crate) fn back_channel(&self) -> &BackChannel {
        &self.inner.back_channel
    }

    pub(crate) fn now(&self) -> UnixTime {
        (self.inner.config.clock)()
    }

    /// Who we are there, and how we show it.
    pub(crate) fn client(&self, keys: CoreJsonWebKeySet) -> CoreClient {
        let config = self.config();
        let client = CoreClient::new(
            ClientId::new(config.client_id.clone()),
            self.issuer().clone(),
            keys,
        );
        let secret = |secret: &str| ClientSecret::new(secret.to_owned());
        match &config.authentication {
            ClientAuthentication::None => client.set_auth_type(openidconnect::AuthType::RequestBody),
            ClientAuthentication::Basic(text) => client
                .set_client_secret(secret(text))
                .set_auth_type(openidconnect::AuthType::BasicAuth),
            ClientAuthentication::Post(text) => client
                .set_client_secret(secret(text))
                .set_auth_type(openidconnect::AuthType::RequestBody),
        }
    }

    /// What the provider said of itself in the last hour.
    pub(crate) async fn metadata(&self) -> Result<Arc<Metadata>, Failure> {
        let mut known = self.inner.known.lock().await;
        let now = self.now();
        if let Some((read_at, metadata)) = &known.metadata
            && is_fresh(*read_at, now, METADATA_AGE)
        {
            return Ok(Arc::clone(metadata));
        }
        let config = self.config();
        let url = format!(
            "{}/.well-known/openid-configuration",
            config.bases.back_channel.as_str()
        );
        let body = self.back_channel().get(FOR_METADATA, &url, None).await?;
        let metadata = Arc::new(Metadata::read(&body, config)?);
        known.metadata = Some((now, Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// The keys of the last five minutes.
    pub(crate) async fn keys(&self, metadata: &Metadata) -> Result<Arc<Keys>, Failure> {
        self.keys_within(metadata, KEYS_AGE).await
    }

    /// The keys among which this one is, asked for anew if it is not; but not every time.
    ///
    /// `kid` is what the token says: a name to look up, and nothing else.
    pub(crate) async fn keys_with(
        &self,
        metadata: &Metadata,
        kid: Option<&str>,
    ) -> Result<Arc<Keys>, Failure> {
        let keys = self.keys(metadata).await?;
        match kid {
            Some(kid) if !keys.verifiers.contains(kid) => {
                let keys = self.keys_within(metadata, KEYS_PAUSE).await?;
                if keys.verifiers.contains(kid) {
                    Ok(keys)
                } else {
                    Err(Failure::Refused(UpstreamRefusal::IdToken))
                }
            }
            _ => Ok(keys),
        }
    }

    async fn keys_within(&self, metadata: &Metadata, age: Duration) -> Result<Arc<Keys>, Failure> {
        let mut known = self.inner.known.lock().await;
        let now = self.now();
        if let Some((read_at, keys)) = &known.keys
            && is_fresh(*read_at, now, age)
        {
            return Ok(Arc::clone(keys));
        }
        let config = self.config();
        let body = self.back_channel().get(FOR_KEYS, &metadata.jwks, None).await?;
        let keys = Arc::new(Keys::read(&body, &config.algorithms)?);
        known.keys = Some((now, Arc::clone(&keys)));
        Ok(keys)
    }
}

/// A clock that was set back does not make an answer younger.
fn is_fresh(read_at: UnixTime, now: UnixTime, age: Duration) -> bool {
    now.as_secs().abs_diff(read_at.as_secs()) < age.as_secs()
}

impl fmt::Debug for UpstreamProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UpstreamProvider")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}
