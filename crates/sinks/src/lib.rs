#![doc = include_str!("../README.md")]

mod amqp;
mod carry;
mod cursor;
mod http;
mod notification;
mod receiver;
mod standing;
mod syslog;
mod tls;

pub use amqp::{Amqp, AmqpSettings};
pub use carry::{Carrier, Limits};
pub use http::{Http, HttpSettings};
pub use notification::{event_type, notification};
pub use receiver::{DeliveryError, Receiver};
pub use standing::{Mode, SinkStanding, Standing};
pub use syslog::{Syslog, SyslogSettings, frame};
pub use tls::{client_tls, server_name};
