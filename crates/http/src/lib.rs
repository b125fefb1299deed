#![doc = include_str!("../README.md")]

mod admin;
mod administration;
mod answer;
mod browser;
mod caller;
mod certificate;
mod config;
mod deadline;
mod document;
mod edge;
mod faults;
mod form;
mod latency;
mod limit;
mod metrics;
mod network;
mod os_oauth2;
mod proxy;
#[cfg(test)]
mod reference;
mod request_id;
mod route;
mod token;
mod traces;
mod userinfo;
mod workshop;

pub use admin::Readiness;
pub use config::HttpConfig;
pub use edge::{Answer, HttpEdge, IssuersService};
pub use limit::{Allowance, RateLimit};
pub use network::{IpNetwork, NetworkError};
pub use proxy::{ProxyAccess, ProxyError, TrustedProxy};
pub use traces::{RequestTraces, TraceStart};
pub use workshop::BlockingWorkshop;
