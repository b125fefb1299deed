use crate::notification::notification;
use crate::receiver::{DeliveryError, Receiver};
use async_trait::async_trait;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use sealstone_trail::Read;
use std::fs;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Kept on disk by the broker.
const PERSISTENT: u8 = 2;

/// Which broker, and where in it.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the program from its configuration"
)]
pub struct AmqpSettings {
    /// A file with the address, which holds a password: `amqps://user:password@rabbit.example.org:5671/vhost`. Read for
    /// each connection.
    pub url_file: PathBuf,
    /// Who vouches for the broker's certificate, PEM.
    pub ca_file: Option<PathBuf>,
    /// Also without TLS.
    pub insecure_plaintext: bool,
    /// Keystone's is `keystone`.
    pub exchange: String,
    /// The queue and its routing key: `notifications.info`.
    pub topic: String,
    /// Whether exchange and queue outlive the broker: as the cloud's `amqp_durable_queues` has it.
    pub durable: bool,
}

/// Publishes events as `oslo.messaging` notifications. The broker confirms each before it counts as delivered.
pub struct Amqp {
    settings: AmqpSettings,
    open: Option<(Connection, Channel)>,
}

impl std::fmt::Debug for Amqp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Amqp")
            .field("exchange", &self.settings.exchange)
            .finish_non_exhaustive()
    }
}

/// The address says neither what it must.
#[derive(Debug, thiserror::Error)]
enum AddressFault {
    #[error(
        "the address must begin with amqps://: without TLS everybody on the way reads the events (insecure_plaintext)"
    )]
    Plain,
    #[error("no address of the form amqps://user:password@host:port/vhost")]
    None,
}

impl Amqp {
    /// Not connected yet.
    #[must_use]
    pub const fn new(settings: AmqpSettings) -> Self {
        Self { settings, open: None }
    }

    async fn connect(&self) -> Result<(Connection, Channel), DeliveryError> {
        let url =
            Zeroizing::new(fs::read_to_string(&self.settings.url_file).map_err(DeliveryError::settings)?);
        let url = url.trim();
        let is_plaintext = self.settings.insecure_plaintext && url.starts_with("amqp://");
        if !is_plaintext && !url.starts_with("amqps://") {
            return Err(DeliveryError::settings(AddressFault::Plain));
        }
        // What a parser says of an address may repeat its password.
        let uri = url
            .parse()
            .map_err(|_error: String| DeliveryError::settings(AddressFault::None))?;
        let cert_chain = match &self.settings.ca_file {
            Some(path) => Some(fs::read_to_string(path).map_err(DeliveryError::settings)?),
            None => None,
        };
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain,
        };
        let properties = ConnectionProperties::default().with_connection_name("sealstone".into());
        let runtime = lapin::runtime::default_runtime().map_err(DeliveryError::connection)?;
        let connection = Connection::connect_uri_with_config(uri, properties, tls, runtime)
            .await
            .map_err(DeliveryError::connection)?;
        let channel = self
            .channel(&connection)
            .await
            .map_err(DeliveryError::connection)?;
        Ok((connection, channel))
    }

    /// As `oslo.messaging` does: what is published before anybody listens is kept in the queue.
    async fn channel(&self, connection: &Connection) -> Result<Channel, lapin::Error> {
        let (exchange, topic) = (self.settings.exchange.as_str(), self.settings.topic.as_str());
        let channel = connection.create_channel().await?;
        let declare = ExchangeDeclareOptions {
            durable: self.settings.durable,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(
                exchange.into(),
                ExchangeKind::Topic,
                declare,
                FieldTable::default(),
            )
            .await?;
        let declare = QueueDeclareOptions {
            durable: self.settings.durable,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(topic.into(), declare, FieldTable::default())
            .await?;
        channel
            .queue_bind(
                topic.into(),
                exchange.into(),
                topic.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }

    async fn publish(&self, channel: &Channel, events: &[Read]) -> Result<(), DeliveryError> {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_content_encoding("utf-8".into())
            .with_delivery_mode(PERSISTENT);
        // A broker confirms also what it throws away because no queue takes it, unless it is to be sent back.
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let mut confirmations = Vec::with_capacity(events.len());
        for event in events {
            // A follower gives only what could be read as an event.
            let Some(body) = notification(&event.text) else {
                continue;
            };
            let published = channel
                .basic_publish(
                    self.settings.exchange.as_str().into(),
                    self.settings.topic.as_str().into(),
                    options,
                    &body,
                    properties.clone(),
                )
                .await
                .map_err(DeliveryError::connection)?;
            confirmations.push(published);
        }
        for confirmation in confirmations {
            match confirmation.await.map_err(DeliveryError::connection)? {
                Confirmation::Ack(None) => {}
                // The next try declares the queue anew.
                Confirmation::Ack(Some(_)) => {
                    return Err(DeliveryError::Refused(
                        "no queue took a message: the queue, or what binds it to the exchange, was deleted"
                            .to_owned(),
                    ));
                }
                Confirmation::Nack(_) | Confirmation::NotRequested => {
                    return Err(DeliveryError::Refused(
                        "the broker did not confirm a message".to_owned(),
                    ));
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Receiver for Amqp {
    async fn deliver(&mut self, events: &[Read]) -> Result<(), DeliveryError> {
        let open = match self.open.take() {
            Some(open) if open.1.status().connected() => open,
            Some(_) | None => self.connect().await?,
        };
        self.publish(&open.1, events).await?;
        self.open = Some(open);
        Ok(())
    }
}
