use crate::receiver::{DeliveryError, Receiver};
use async_trait::async_trait;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sealstone_trail::Read;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Facility 13, "log audit" (RFC 5424 §6.2.1).
const FACILITY: u16 = 13;
/// Severity "notice": something normal that matters.
const NOTICE: u16 = 5;
/// Severity "warning": something was refused.
const WARNING: u16 = 4;
/// Events that are sent again on a new connection: syslog acknowledges nothing, and what is in flight when a connection
/// breaks is gone. More than a batch, less than what the send buffers of both ends hold.
const REPEATED: usize = 2_000;
/// Taking up a connection takes no longer.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long the other end is listened to for its goodbye before a batch is sent.
const LISTENING: Duration = Duration::from_millis(1);

/// Which syslog server.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the program from its configuration"
)]
pub struct SyslogSettings {
    /// Name or address, and port: `logs.example.org:6514`.
    pub address: String,
    /// The name that its certificate must have.
    pub server_name: ServerName<'static>,
    /// Whom to trust, and our own certificate if it asks for one.
    pub tls: Arc<ClientConfig>,
    /// How this machine is called (`HOSTNAME` of RFC 5424); `-` if that is not known.
    pub host: String,
}

/// Sends events as RFC 5424 messages, framed by their length (RFC 5425), over TLS.
pub struct Syslog {
    settings: SyslogSettings,
    connection: Option<TlsStream<TcpStream>>,
    /// The last that were sent, in the order in which they were.
    unsure: VecDeque<Vec<u8>>,
}

impl std::fmt::Debug for Syslog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Syslog")
            .field("address", &self.settings.address)
            .finish_non_exhaustive()
    }
}

impl Syslog {
    /// Not connected yet.
    #[must_use]
    pub const fn new(settings: SyslogSettings) -> Self {
        Self {
            settings,
            connection: None,
            unsure: VecDeque::new(),
        }
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(&self.settings.address).await?;
        tcp.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.settings.tls));
        connector.connect(self.settings.server_name.clone(), tcp).await
    }

    /// The connection, if the other end has not said goodbye: a write would be taken by a socket that nobody reads.
    async fn connected(&mut self) -> Option<TlsStream<TcpStream>> {
        let mut connection = self.connection.take()?;
        let mut said = [0; 64];
        match tokio::time::timeout(LISTENING, connection.read(&mut said)).await {
            // Silence is what a syslog server has to say.
            Err(_elapsed) => Some(connection),
            Ok(Ok(octets)) if octets > 0 => Some(connection),
            Ok(_) => None,
        }
    }
}

#[async_trait]
impl Receiver for Syslog {
    async fn deliver(&mut self, events: &[Read]) -> Result<(), DeliveryError> {
        let mut out = Vec::new();
        let mut connection = match self.connected().await {
            Some(connection) => connection,
            None => {
                let connecting = tokio::time::timeout(CONNECTING, self.connect());
                let connection = connecting.await.map_err(|_elapsed| DeliveryError::Deadline)?;
                self.unsure
                    .iter()
                    .for_each(|message| out.extend_from_slice(message));
                connection.map_err(DeliveryError::connection)?
            }
        };
        let messages: Vec<Vec<u8>> = events
            .iter()
            .map(|event| frame(&event.text, &self.settings.host))
            .collect();
        messages.iter().for_each(|message| out.extend_from_slice(message));
        connection
            .write_all(&out)
            .await
            .map_err(DeliveryError::connection)?;
        connection.flush().await.map_err(DeliveryError::connection)?;
        self.connection = Some(connection);
        self.unsure.extend(messages);
        let many = self.unsure.len().saturating_sub(REPEATED);
        self.unsure.drain(..many);
        Ok(())
    }
}

/// One event as a syslog message with its length before it: `LEN <PRI>1 TIME HOST sealstoned - MSGID - EVENT`.
///
/// `MSGID` is the event's action. The event is as it is in the trail, octet for octet: a receiver that cuts off what
/// stands before it can verify the chain.
#[must_use]
pub fn frame(event: &[u8], host: &str) -> Vec<u8> {
    let read: Value = serde_json::from_slice(event).unwrap_or_default();
    let text = |name: &str| read.get(name).and_then(Value::as_str).unwrap_or("-");
    let severity = if text("outcome") == "failure" {
        WARNING
    } else {
        NOTICE
    };
    let priority = FACILITY.saturating_mul(8).saturating_add(severity);
    let time = text("eventTime").split('.').next().unwrap_or("-");
    let zone = if time == "-" { "" } else { "Z" };
    let header = format!(
        "<{priority}>1 {time}{zone} {} sealstoned - {} - ",
        word(host, 255),
        word(text("action"), 32)
    );
    let length = header.len().saturating_add(event.len());
    let mut message = format!("{length} {header}").into_bytes();
    message.extend_from_slice(event);
    message
}

/// Visible ASCII, so long at most (RFC 5424 §6); `-` for nothing.
fn word(text: &str, longest: usize) -> String {
    let word: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(longest)
        .collect();
    if word.is_empty() { "-".to_owned() } else { word }
}
